"""A subject backend in memory: two kinds, some verbs left out on purpose, and ids that stand for what can happen."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NoReturn

from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.subject import (
    ChangeKind,
    Subject,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectFilter,
    SubjectList,
    SubjectStatus,
)
from animus_sdk import (
    EnvRequirement,
    InvalidParams,
    NotFound,
    NotSupported,
    PluginError,
    SubjectBackend,
    Unavailable,
    serve,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ERRORS = {
    "missing": NotFound("task missing"),
    "invalid": InvalidParams("id: not so"),
    "unsupported": NotSupported("get of that"),
    "down": Unavailable("the tracker is down"),
    "plain": PluginError("something else: \ud83d"),
    "boom": RuntimeError("a mistake of the author"),
    "exit": SystemExit(3),
}


def task(name: str, title: str, kind: str = "task") -> Subject:
    return Subject(id=name, kind=kind, title=title, status=SubjectStatus.READY, created_at=NOW, updated_at=NOW)


class Tasks(SubjectBackend):
    name = "animus-subject-tasks"
    version = "1.2.3"
    description = "Tasks in memory, für Tests."
    subject_kinds = ("task", "bug")
    env = (EnvRequirement(name="TASKS_TOKEN", sensitive=True),)
    notification_buffer_size = 1024

    async def start(self, project: ProjectBinding) -> None:
        self.project = project
        self.queues: list[asyncio.Queue[SubjectChangedEvent]] = []
        print("started")

    async def stop(self) -> None:
        print("stopped")

    async def list(self, filter: SubjectFilter) -> SubjectList:  # noqa: A002 - the protocol's word
        kinds = filter.kind or [*self.subject_kinds]
        return SubjectList(subjects=[task(f"{kind}:1", "one", kind) for kind in kinds], fetched_at=NOW)

    async def next(self, kind: str | None) -> Subject | None:
        return None if kind is None else task(f"{kind}:1", "next", kind)

    async def create(self, request: SubjectCreateParams) -> Subject:
        made = task(f"{request.kind}:{request.title}", request.title, request.kind)
        for queue in self.queues:
            queue.put_nowait(SubjectChangedEvent(id=made.id, change_kind=ChangeKind.CREATED, subject=made))
        return made

    async def get(self, id: str) -> Subject:  # noqa: A002 - the protocol's word
        if error := ERRORS.get(id):
            raise error
        match id:
            case "project":
                return task(id, f"{self.project.project_root} {self.project.repo_scope}")
            case "noise":
                make_noise()
            case "stdin":
                return task(id, repr(sys.stdin.read()))
            case "slow":
                await slowly()
            case "thread":
                print("thread begun", file=sys.stderr, flush=True)
                await asyncio.to_thread(time.sleep, 60)  # a thread that does not let go
            case "child":
                return task(id, str(child()))
            case "fork":
                return task(id, str(fork()))
            case "custom":
                return task(id, "custom").model_copy(update={"custom": {"score": 1.5, "none": None}})
            case "nan":
                return task(id, "custom").model_copy(update={"custom": {"score": float("nan"), "none": None}})
        return task(id, id)

    async def watch(self, filter: SubjectFilter) -> AsyncIterator[SubjectChangedEvent]:  # noqa: A002 - the protocol's word
        if filter.assignee:
            raise InvalidParams("assignee: cannot be watched")
        queue: asyncio.Queue[SubjectChangedEvent] = asyncio.Queue()
        self.queues.append(queue)
        try:
            while True:
                event = await queue.get()
                if event.id.endswith("poison"):
                    raise RuntimeError("the stream broke")
                if not filter.kind or event.subject.kind in filter.kind:
                    yield event
        finally:
            self.queues.remove(queue)
            print("watch ended")


def make_noise() -> None:
    print('{"jsonrpc":"2.0","id":1,"result":"printed"}')
    os.write(1, b"{ straight to descriptor 1\n")
    subprocess.run([sys.executable, "-c", "print('a child prints')"], check=True)


async def slowly() -> NoReturn:
    print("slow begun", file=sys.stderr, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("slow ended")
    raise AssertionError


def child() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid  # it is to outlive us


def fork() -> int:
    pid = os.fork()
    if pid == 0:
        time.sleep(60)  # it is to outlive us
        os._exit(0)
    return pid


if __name__ == "__main__":
    serve(Tasks)
