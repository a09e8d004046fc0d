"""A plugin of each kind is killed a hundred times while sixteen callers ask it, and no question is lost.

Each ends within its deadline, with its own answer or with an error that names the plugin; what does neither is *lost*.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from animus_core.errors import PluginFailed
from animus_core.host.plugin_state import Budget, PluginState
from animus_core.host.supervisor import Supervision
from animus_protocol.models import (
    dispatch,
    log_storage,
    notifier,
    provider,
    queue,
    subject,
    transport,
    trigger,
)
from animus_protocol.models.base import Json

if TYPE_CHECKING:
    from conftest import Guest, Host

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(300)]
CALLERS = 16
KILLS = 100
CALL_S = 10.0
NOTICED_S = 5.0  # a death is noticed by itself, not by the deadline of the call
RSS_MB = 16.0
RESTLESS = Supervision(Budget(attempts=10**6, first_s=0.005, most_s=0.01, healthy_s=0.0))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def _subject(guest: Guest, mark: str) -> str:
    params = subject.SubjectGetParams(id=mark)
    return (await guest.supervised.call(subject.SUBJECT_GET.named("task/get"), params, timeout_s=CALL_S)).id


async def _provider(guest: Guest, mark: str) -> str:
    params = provider.AgentRunRequest(prompt=f"prompt of {mark}", cwd="/", session_id=mark)
    answer = await guest.supervised.call(provider.AGENT_RUN, params, timeout_s=CALL_S)
    return answer.session_id if answer.output == f"prompt of {answer.session_id}" else "two sessions in one answer"


async def _trigger(guest: Guest, mark: str) -> str:
    await guest.supervised.call(trigger.TRIGGER_WATCH, trigger.TriggerWatchParams(), timeout_s=CALL_S)
    params = trigger.TriggerAckParams(event_id=mark, status="dispatched")
    return (await guest.supervised.call(trigger.TRIGGER_ACK, params, timeout_s=CALL_S)).event_id


async def _transport(guest: Guest, mark: str) -> str:
    params = transport.TransportConfig(control_socket_path="/s", project_root="/", bind_addr=mark)
    return (await guest.supervised.call(transport.TRANSPORT_START, params, timeout_s=CALL_S)).bound_addr


async def _log_storage(guest: Guest, mark: str) -> str:
    entries = [
        log_storage.LogEntry(
            id=f"{mark}.{number}",
            ts=NOW,
            level=log_storage.LogLevel.INFO,
            source=log_storage.LogSource.DAEMON,
            target="t",
            message="m",
        )
        for number in range(len(mark))
    ]
    params = log_storage.LogStoreParams(entries=entries)
    stored = (await guest.supervised.call(log_storage.LOG_STORAGE_STORE, params, timeout_s=CALL_S)).stored
    found = await guest.supervised.call(
        log_storage.LOG_STORAGE_QUERY, log_storage.LogQuery(cursor=mark), timeout_s=CALL_S
    )
    return found.entries[0].id if stored == len(mark) else f"{stored} were stored"


async def _notifier(guest: Guest, mark: str) -> str:
    event = notifier.DaemonEventRecord(
        schema_id=notifier.DAEMON_EVENT_SCHEMA, id=mark, timestamp="2026-01-02T03:04:05Z", event_type="x", data=None
    )
    params = notifier.NotifierNotifyParams(event=event)
    answer = await guest.supervised.call(notifier.NOTIFIER_NOTIFY, params, timeout_s=CALL_S)
    return str(answer.lifecycle_events[0].data)


async def _queue(guest: Guest, mark: str) -> str:
    wanted = {"subject": {"kind": "task", "id": mark}, "workflow_ref": "w", "trigger_source": "manual"}
    work = dispatch.SubjectDispatch.model_validate({**wanted, "requested_at": NOW})
    params = queue.QueueEnqueueRequest(subject_dispatch=work)
    answer = await guest.supervised.call(queue.QUEUE_ENQUEUE, params, timeout_s=CALL_S)
    return answer.subject_id if answer.entry_id == f"q-{answer.subject_id}" else "two entries in one answer"


async def _custom(guest: Guest, mark: str) -> str:
    answer: Json = await guest.ask("custom/mirror", timeout_s=CALL_S, mark=mark, filling="x" * 5000)
    return str(answer["mark"])


ASK: dict[str, Callable[[Guest, str], Awaitable[str]]] = {
    "subject_backend": _subject,
    "provider": _provider,
    "trigger_backend": _trigger,
    "transport_backend": _transport,
    "web_ui": _transport,
    "log_storage_backend": _log_storage,
    "notifier": _notifier,
    "queue": _queue,
    "custom": _custom,
}


class Storm:
    """Callers that never stop, a killer, and the count of what became of each question."""

    def __init__(self, guest: Guest, ask: Callable[[Guest, str], Awaitable[str]]) -> None:
        self.guest = guest
        self.ask = ask
        self.asked = self.answered = self.failed = self.kills = 0
        self.wrong: list[str] = []
        self.calm = False
        self._answered = asyncio.Event()

    @property
    def lost(self) -> int:
        """Questions that ended in no way that is promised."""
        return self.asked - self.answered - self.failed

    async def call(self, caller: int) -> None:
        """Ask one thing after the other until it is calm."""
        number = 0
        while not self.calm:
            number += 1
            mark = f"{caller}/{number}"
            self.asked += 1
            began = time.monotonic()
            try:
                answer = await self.ask(self.guest, mark)
            except PluginFailed as error:
                named = error.message.startswith(f"plugin {self.guest.name}: ")
                self.failed += self._fair(mark, error.message, named, time.monotonic() - began, NOTICED_S)
                await self.guest.next_move(unless=self.up)
            else:
                self.answered += self._fair(mark, answer, answer == mark, time.monotonic() - began, 2 * CALL_S)
                self._answered.set()

    async def blow(self, what: Coroutine[Any, Any, None]) -> None:
        """Let the callers ask while `what` happens, then until each has its last answer."""
        callers = [asyncio.create_task(self.call(caller)) for caller in range(CALLERS)]
        happening = asyncio.create_task(what)
        try:
            done, _ = await asyncio.wait([happening, *callers], return_when=asyncio.FIRST_COMPLETED)
            self.calm = True
            self.guest.wake()
            await asyncio.wait(callers)
        finally:
            happening.cancel()
            for caller in callers:
                caller.cancel()
        for task in (*done, *callers):
            task.result()

    def _fair(self, mark: str, what: str, right: bool, took_s: float, most_s: float) -> bool:
        """Whether a question ended as promised; if not, it is lost."""
        if right and took_s < most_s:
            return True
        self.wrong.append(f"{mark}: {what} after {took_s:.1f} s")
        return False

    def up(self) -> bool:
        """Whether it makes sense to ask again at once."""
        return self.calm or self.guest.supervised.state is PluginState.READY

    async def answers(self, count: int) -> None:
        """Wait for so many answers from now on."""
        wanted = self.answered + count
        while self.answered < wanted:
            self._answered.clear()
            await self._answered.wait()

    async def rage(self, random: random.Random) -> None:
        """Kill it a hundred times, each time after it has answered again."""
        for life in range(1, KILLS + 1):
            await self.guest.until(PluginState.READY, life)
            await self.answers(1 + random.randrange(50))
            await asyncio.sleep(random.random() * 0.003)  # the random moment itself
            pid = self.guest.supervised.status().pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
            await self.guest.until(PluginState.CRASHED, life)
        await self.guest.until(PluginState.READY, KILLS + 1)
        await self.answers(CALLERS)


@pytest.mark.parametrize("kind", ASK)
async def test_a_hundred_kills_lose_no_question(
    host: Host, kind: str, record_property: Callable[[str, object], None]
) -> None:
    guest = host.plugin("every_kind.py", kind, plugin_kind=kind, supervision=RESTLESS)
    storm = Storm(guest, ASK[kind])
    await storm.ask(guest, "warm")
    gc.collect()
    before = host.resident_mb()
    try:
        await storm.blow(storm.rage(random.Random(kind)))
    finally:
        record_property("kills", storm.kills)
        record_property("lost", storm.lost)
    gc.collect()
    grown = host.resident_mb() - before
    print(f"{kind}: {storm.kills} kills, {storm.answered} answers, {storm.failed} failed, {grown:.1f} MiB")
    assert (storm.kills, storm.lost, storm.wrong) == (KILLS, 0, [])
    assert storm.answered > KILLS * 10
    assert storm.failed > 0
    assert guest.supervised.status().failures_total == KILLS
    assert grown < RSS_MB, f"the host has {grown:.0f} MiB more than before"


async def test_restarts_by_an_operator_in_the_middle_of_work_lose_no_question(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    guest = host.plugin("every_kind.py", "custom", supervision=RESTLESS)
    storm = Storm(guest, _custom)
    await storm.ask(guest, "warm")

    async def restarts() -> None:
        for _ in range(20):
            await storm.answers(50)
            await guest.supervised.restart()
        await storm.answers(CALLERS)

    try:
        await storm.blow(restarts())
    finally:
        record_property("lost", storm.lost)
    assert (storm.lost, storm.wrong) == (0, [])
    assert guest.supervised.status().failures == 0
