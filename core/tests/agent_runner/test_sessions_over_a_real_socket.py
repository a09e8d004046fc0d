"""Sessions: streamed, attached to, resumed, cancelled, and told truly after any death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from animus_core.agent_runner.server import AgentRunner
from animus_core.agent_runner.session import OPENED, WRITTEN, Patience, cookie_of
from animus_core.control.sockets import connect
from animus_core.host.environment import COOKIE
from animus_core.journal.reader import iterate
from animus_core.journal.writer import JournalFull, JournalWriter
from animus_core.store.locks import acquire, is_held
from animus_core.store.paths import Scope
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import RpcError
from animus_protocol.models import agent_session as wire
from animus_protocol.models.provider import AgentRunRequest
from animus_protocol.peer import Peer

Serving = Callable[..., AbstractAsyncContextManager[AgentRunner]]
Script = Callable[[str], None]
CALL_S = 20.0
RUN = f"run-{uuid.uuid4()}"
"""Of this process alone: what carries the cookie of a session is found on the whole machine."""


class Runner:
    """A workflow-runner's end of the connection: it keeps what it hears."""

    def __init__(self) -> None:
        self.records: list[wire.SessionRecord] = []
        self.grown = asyncio.Condition()
        self.peer: Peer

    async def dial(self, socket: Path) -> Runner:
        table = Dispatcher()
        table.on_notification(wire.SESSION_RECORD, lambda record, _: self._on_record(record))
        self.peer = await connect(socket, table, name="agent-runner")
        return self

    def _on_record(self, record: wire.SessionRecord) -> None:
        self.records.append(record)
        self._notifying = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self.grown:
            self.grown.notify_all()

    async def open(self, scope: Scope, *, method: Any = wire.SESSION_OPEN, **more: Any) -> wire.SessionOpened:
        opened: wire.SessionOpened = await self.peer.call(method, asking(scope, **more), timeout_s=CALL_S)
        return opened

    async def cancel(self, *, attempt: int = 1, epoch: int = 1) -> None:
        key = wire.SessionKey(run=RUN, phase="build", attempt=attempt)
        await self.peer.call(wire.SESSION_CANCEL, wire.SessionCancel(session=key, epoch=epoch), timeout_s=CALL_S)

    async def until(self, kind: str, count: int = 1) -> list[wire.SessionRecord]:
        async with self.grown:
            await self.grown.wait_for(lambda: [record.kind for record in self.records].count(kind) >= count)
        return [record for record in self.records if record.kind == kind]

    async def closed(self) -> wire.SessionClosed:
        return wire.SessionClosed.model_validate((await self.until(wire.CLOSED))[-1].data)

    @property
    def text(self) -> str:
        return "".join(str(record.data["text"]) for record in self.records if record.kind == "output")


def asking(
    scope: Scope, *, attempt: int = 1, epoch: int = 1, after_seq: int = 0, tool: str = "mock", **request: Any
) -> wire.SessionOpen:
    return wire.SessionOpen(
        session=wire.SessionKey(run=RUN, phase="build", attempt=attempt),
        epoch=epoch,
        tool=tool,
        after_seq=after_seq,
        request=AgentRunRequest(prompt="go", cwd=str(scope.project_root), **request),
    )


def spool(scope: Scope, attempt: int = 1) -> Path:
    return scope.run_dir(RUN).spool("build", attempt)


def lock(scope: Scope, attempt: int = 1) -> Path:
    return scope.run_dir(RUN).attempt_lock("build", attempt)


def summary(scope: Scope) -> Any:
    return json.loads(scope.run_dir(RUN).session("build").read_text())


def barrier(scope: Scope) -> None:
    (scope.project_root / "gate").touch()


async def idle(agents: AgentRunner) -> None:
    """Return when no session is live: a provider leaves after its answer, in its own time, and tells nobody."""
    for _ in range(2000):
        if not agents.live_sessions:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{agents.live_sessions} sessions are still live after 20 s")


def providers(key: wire.SessionKey) -> list[int]:
    """The processes that carry the cookie of a session."""
    cookie = f"{COOKIE}={cookie_of(key)}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and cookie in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


KEY = wire.SessionKey(run=RUN, phase="build", attempt=1)


async def test_a_session_streams_what_the_provider_says_and_closes_with_its_answer(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("think: hm\nsay: { text: 'Hello, world.', chunk: 5 }\nverdict: advance")

    async with serving() as agents:
        runner = await Runner().dial(socket)
        opened = await runner.open(scope)
        assert opened.state is wire.SessionState.LIVE
        closed = await runner.closed()
        assert closed.end is wire.SessionEnd.ANSWERED
        assert closed.response is not None
        assert (closed.response.output, closed.response.decision_verdict) == (
            "Hello, world.",
            {"verdict": "advance"},
        )
        assert runner.text == "Hello, world."
        assert [record.seq for record in runner.records] == list(range(1, len(runner.records) + 1))
        assert [record.kind for record in runner.records][:3] == [OPENED, WRITTEN, "thinking"]
        await idle(agents)
        assert summary(scope)["status"] == "answered"
        assert summary(scope)["plugin"] == "animus-provider-mock"
        assert not is_held(lock(scope))
        await runner.peer.aclose()


async def test_whoever_attaches_from_a_number_gets_the_rest_exactly_once(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: one\nwait_for: { file: gate }\nsay: two\nsay: three")

    async with serving():
        first = await Runner().dial(socket)
        await first.open(scope)
        await first.until("output")
        seen = first.records[-1].seq
        await first.peer.aclose()
        second, whole = await Runner().dial(socket), await Runner().dial(socket)
        assert (await second.open(scope, epoch=2, after_seq=seen)).state is wire.SessionState.LIVE
        await whole.open(scope, epoch=2)
        barrier(scope)
        for runner in (second, whole):
            assert (await runner.closed()).end is wire.SessionEnd.ANSWERED
        assert (second.text, whole.text) == ("twothree", "onetwothree")
        assert [record.seq for record in second.records] == [
            record.seq for record in whole.records if record.seq > seen
        ]
        await second.peer.aclose()
        late = await Runner().dial(socket)
        opened = await late.open(scope, epoch=3, after_seq=seen)
        assert opened.state in (wire.SessionState.CLOSED, wire.SessionState.LIVE)
        await late.closed()
        assert late.records == second.records
        await late.peer.aclose()
        await whole.peer.aclose()


async def test_a_session_goes_on_without_its_runner(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: one\nwait_for: { file: gate }\nsay: two")

    async with serving() as agents:
        runner = await Runner().dial(socket)
        await runner.open(scope)
        await runner.until("output")
        await runner.peer.aclose()
        assert agents.live_sessions == 1
        barrier(scope)
        await idle(agents)
        late = await Runner().dial(socket)
        assert (await late.open(scope, epoch=2)).state is wire.SessionState.CLOSED
        await late.closed()
        assert late.text == "onetwo"
        await late.peer.aclose()


async def test_a_provider_that_is_killed_closes_its_session_as_died_and_another_attempt_resumes_it(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: 'one, '\nonce: { steps: [fail: kill] }\nsay: two")

    async with serving():
        runner = await Runner().dial(socket)
        opened = await runner.open(scope)
        closed = await runner.closed()
        assert (closed.end, closed.written, closed.resumable) == (wire.SessionEnd.DIED, True, True)
        assert "was killed by signal 9" in (closed.message or "")
        again = await Runner().dial(socket)
        await again.open(scope, method=wire.SESSION_RESUME, attempt=2, session_id=opened.session_id)
        closed = await again.closed()
        assert closed.response is not None
        assert (closed.end, closed.response.output) == (wire.SessionEnd.ANSWERED, "one, two")
        assert closed.response.session_id == opened.session_id
        await runner.peer.aclose()
        await again.peer.aclose()


async def test_a_provider_that_refuses_closes_its_session_as_refused(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("fail: { how: error, code: -32099, message: no quota }")

    async with serving():
        runner = await Runner().dial(socket)
        await runner.open(scope)
        closed = await runner.closed()
        assert (closed.end, closed.message) == (wire.SessionEnd.REFUSED, "no quota (-32099)")
        await runner.peer.aclose()


async def test_a_provider_that_calls_its_own_work_cancelled_has_refused_it(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("fail: { how: error, code: -32002, message: shutting down }")

    async with serving():
        runner = await Runner().dial(socket)
        await runner.open(scope)
        assert (await runner.closed()).end is wire.SessionEnd.REFUSED
        await runner.peer.aclose()


async def test_a_session_that_takes_too_long_is_timed_out(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("wait_for: { file: gate, timeout_s: 60 }")

    async with serving(Patience(timeout_grace_s=0.2)):
        runner = await Runner().dial(socket)
        await runner.open(scope, timeout_secs=0)
        closed = await runner.closed()
        assert (closed.end, closed.resumable) == (wire.SessionEnd.TIMED_OUT, True)
        await runner.peer.aclose()


async def test_a_tool_without_a_plugin_is_not_found(serving: Serving, scope: Scope, socket: Path) -> None:
    async with serving():
        runner = await Runner().dial(socket)
        with pytest.raises(RpcError) as raised:
            await runner.open(scope, tool="other")
        assert raised.value.category == "not_found"
        await runner.peer.aclose()


# == cancelling ==


@pytest.mark.parametrize("first", ["", "ignore_cancel: true\n"])
async def test_a_cancelled_session_closes_as_cancelled_whether_its_provider_obeys_or_not(
    first: str, serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script(f"{first}say: one\nwait_for: {{ file: barrier, timeout_s: 60 }}")

    async with serving(Patience(cancel_s=0.3)) as agents:
        runner = await Runner().dial(socket)
        await runner.open(scope)
        await runner.until("output")
        began = time.monotonic()
        await runner.cancel()
        assert (await runner.closed()).end is wire.SessionEnd.CANCELLED
        assert time.monotonic() - began < 10
        await idle(agents)
        assert providers(KEY) == []
        await runner.cancel()
        await runner.peer.aclose()


async def test_lower_epochs_are_refused_for_opening_and_for_cancelling(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: one\nwait_for: { file: gate }")

    async with serving():
        runner = await Runner().dial(socket)
        await runner.open(scope, epoch=3)
        for old in (runner.open(scope, epoch=2), runner.cancel(epoch=2)):
            with pytest.raises(RpcError, match=f"epoch 2 of {RUN} is over: epoch 3 owns the run") as raised:
                await old
            assert raised.value.category == "conflict"
        barrier(scope)
        assert (await runner.closed()).end is wire.SessionEnd.ANSWERED
        await runner.peer.aclose()


# == an agent-runner that comes back ==


def leave_behind(scope: Scope, *kinds: str) -> None:
    """A spool as an agent-runner leaves it that is killed."""
    path = spool(scope)
    path.parent.mkdir(parents=True)
    held = acquire(lock(scope))
    assert held is not None
    with held:
        writer = JournalWriter.open(path, RUN, 1, held=held)
        for kind in kinds:
            writer.append(kind, {"session_id": "s-1"} if kind == OPENED else {"text": "x"}, sync=True)
        writer.close()


@pytest.mark.parametrize("written", [True, False])
async def test_what_a_dead_agent_runner_left_is_interrupted_and_resumable_only_if_it_was_written(
    written: bool, serving: Serving, scope: Scope, socket: Path
) -> None:
    leave_behind(scope, OPENED, *([WRITTEN, "output"] if written else []))

    async with serving():
        runner = await Runner().dial(socket)
        opened = await runner.open(scope, epoch=2, after_seq=1)
        assert opened == wire.SessionOpened(
            state=wire.SessionState.INTERRUPTED, session_id="s-1", written=written, resumable=written
        )
        assert [record.kind for record in runner.records] == ([WRITTEN, "output"] if written else [])
        await runner.peer.aclose()


async def test_what_a_dead_agent_runner_left_running_is_ended_before_the_session_is_called_interrupted(
    serving: Serving, scope: Scope, socket: Path
) -> None:
    leave_behind(scope, OPENED, WRITTEN)
    held = acquire(lock(scope))
    assert held is not None
    with held:
        orphan = subprocess.Popen(
            [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"],
            env={**os.environ, COOKIE: cookie_of(KEY)},
            pass_fds=[held.inheritable_fd()],
            stdout=subprocess.PIPE,
        )
        assert orphan.stdout is not None
        with orphan.stdout:
            orphan.stdout.readline()

    async with serving():
        runner = await Runner().dial(socket)
        assert (await runner.open(scope, epoch=2)).state is wire.SessionState.INTERRUPTED
        await runner.peer.aclose()
    assert orphan.wait(5) == -signal.SIGTERM


async def test_an_agent_runner_that_leaves_cancels_nobodys_work(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: 'one, '\nonce: { steps: [wait_for: { file: gate, timeout_s: 60 }] }\nsay: two")

    async with serving():
        runner = await Runner().dial(socket)
        opened = await runner.open(scope)
        await runner.until("output")
        await runner.peer.aclose()
    assert providers(KEY) == []
    assert not is_held(lock(scope))
    async with serving():
        runner = await Runner().dial(socket)
        again = await runner.open(scope, epoch=2)
        assert (again.state, again.written, again.resumable) == (wire.SessionState.CLOSED, True, True)
        assert (await runner.closed()).end is wire.SessionEnd.DIED
        await runner.open(scope, method=wire.SESSION_RESUME, epoch=2, attempt=2, session_id=opened.session_id)
        await runner.until(wire.CLOSED, 2)
        assert (await runner.closed()).end is wire.SessionEnd.ANSWERED
        await runner.peer.aclose()


# == what does not fit ==


async def test_an_answer_bigger_than_a_record_is_cut_and_keeps_its_verdict(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script(f"say: {'x' * 1_500_000}\nverdict: {{ verdict: rework, reason: too long }}")

    async with serving():
        runner = await Runner().dial(socket)
        await runner.open(scope)
        closed = await runner.closed()
        assert closed.response is not None
        assert closed.response.decision_verdict == {"verdict": "rework", "reason": "too long"}
        assert closed.response.output.endswith("… (cut, 1500000 characters)")
        assert runner.text == closed.response.output
        await runner.peer.aclose()


@pytest.mark.parametrize(("kind", "written"), [(WRITTEN, False), ("output", True), (wire.CLOSED, True)])
async def test_a_spool_without_room_ends_the_session_and_whoever_asks_again_learns_how_far_it_came(
    kind: str,
    written: bool,
    serving: Serving,
    script: Script,
    scope: Scope,
    socket: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script("say: one\nverdict: advance")
    really = JournalWriter.append

    def append(writer: JournalWriter, name: str, data: Any, *, sync: bool) -> Any:
        if name in (kind, wire.CLOSED):
            raise JournalFull(spool(scope), "No space left on device")
        return really(writer, name, data, sync=sync)

    async with serving():
        runner = await Runner().dial(socket)
        with monkeypatch.context() as full:
            full.setattr(JournalWriter, "append", append)
            assert (await runner.open(scope)).state is wire.SessionState.LIVE
            await asyncio.wait([runner.peer.ended])
        assert not is_held(lock(scope))
        again = await Runner().dial(socket)
        opened = await again.open(scope, epoch=2)
        assert (opened.state, opened.written) == (wire.SessionState.INTERRUPTED, written)
        assert opened.resumable is written
        await again.peer.aclose()
        await runner.peer.aclose()
    assert next(iterate(spool(scope))).kind == OPENED


async def test_a_spool_that_cannot_be_opened_gives_the_attempt_up_again(
    serving: Serving, script: Script, scope: Scope, socket: Path
) -> None:
    script("say: one")
    spool(scope).parent.mkdir(parents=True)
    spool(scope).symlink_to("elsewhere")

    async with serving():
        runner = await Runner().dial(socket)
        with pytest.raises(RpcError) as raised:
            await runner.open(scope)
        assert raised.value.category == "unavailable"
        assert not is_held(lock(scope))
        await asyncio.to_thread(spool(scope).unlink)
        await runner.open(scope)
        assert (await runner.closed()).end is wire.SessionEnd.ANSWERED
        await runner.peer.aclose()
