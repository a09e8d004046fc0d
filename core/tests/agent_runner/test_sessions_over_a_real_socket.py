"""Sessions: streamed, attached to, resumed, cancelled, and told truly when their provider dies."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from animus_core.agent_runner.session import OPENED, WRITTEN, CancelTimings
from animus_core.store.locks import is_held
from animus_core.store.paths import Scope
from animus_protocol.errors import RpcError
from animus_protocol.models import agent_session as wire
from session_client import (
    KEY,
    RUN,
    Runner,
    Script,
    Serving,
    barrier,
    idle,
    lock,
    providers,
    summary,
)


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

    async with serving(CancelTimings(timeout_grace_s=0.2)):
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

    async with serving(CancelTimings(cancel_s=0.3)) as agents:
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
