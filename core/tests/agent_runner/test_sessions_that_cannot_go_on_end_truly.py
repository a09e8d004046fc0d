"""Sessions whose agent-runner died or leaves, and sessions that do not fit on the disk, still end with the truth."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from animus_core.agent_runner.session import OPENED, WRITTEN, cookie_of
from animus_core.host.environment import COOKIE
from animus_core.journal.reader import iterate
from animus_core.journal.writer import JournalFull, JournalWriter
from animus_core.store.locks import acquire, is_held
from animus_core.store.paths import Scope
from animus_protocol.errors import RpcError
from animus_protocol.models import agent_session as wire
from session_client import (
    KEY,
    RUN,
    Runner,
    Script,
    Serving,
    lock,
    providers,
    spool,
)

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
