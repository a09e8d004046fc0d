"""One provider session: a plugin process of its own, and a spool in which everything is written that it does.

The provider's process inherits the attempt's lock: once the kernel has it free, that process is dead. Below lie the
host's plugin session and the journal format, in which the spool is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import AnimusError, InvalidInput, PluginFailed
from animus_core.host.process import how_it_ended
from animus_core.host.session import PluginSession
from animus_core.host.supervisor import Supervisor
from animus_core.journal.kinds import truncate_to_fit
from animus_core.journal.reader import read_from
from animus_core.journal.record import JournalRecord
from animus_core.journal.writer import JournalWriter
from animus_core.store.json_files import write_json_atomic
from animus_core.store.locks import HeldLock
from animus_core.supply.discovery.discover import Plugin
from animus_protocol.connection import Notification
from animus_protocol.crash_points import declare, reach
from animus_protocol.errors import CallTimeout, Cancelled, PeerGone, RpcError
from animus_protocol.models import provider as wire
from animus_protocol.models.agent_session import CLOSED, SessionClosed, SessionEnd, SessionKey, SessionOpen
from animus_protocol.models.lifecycle import ProjectBinding

__all__ = ["OPENED", "WRITTEN", "CancelTimings", "LiveSession", "SessionFiles", "cookie_of", "read_spool"]

_log = logging.getLogger("animus.agent_runner")
OPENED: Final = "opened"
WRITTEN: Final = "written"
_DEFAULT_TIMEOUT_S: Final = 24 * 3600.0
"""Every wait has an end; a phase that has to run longer than a day says so."""

_BEFORE_WRITE: Final = declare("agent_runner.before_write", "the request is about to be written to the provider")
_AFTER_WRITE: Final = declare("agent_runner.written", "the intent is on disk and the provider is being asked")
_ANSWERED: Final = declare("agent_runner.answered", "the provider has answered and the spool does not say so yet")
_CLOSED: Final = declare("agent_runner.closed", "the end of the session is in the spool and nobody has read it")


class SessionFiles(NamedTuple):
    """Where one session lives on disk."""

    spool: Path
    summary: Path


class CancelTimings(NamedTuple):
    """How long a provider has, in seconds: after its timeout, and for each step of its cancellation."""

    timeout_grace_s: float = 5.0
    cancel_s: float = 5.0


class LiveSession:
    """A session whose process may be running. `run` does all of it; `follow` reads what it did and waits for more."""

    def __init__(
        self,
        opened: SessionOpen,
        supervisor: Supervisor[Plugin],
        binding: ProjectBinding,
        files: SessionFiles,
        held: HeldLock,
        timings: CancelTimings = CancelTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self.opened = opened
        self._timings = timings
        self.session_id = str(opened.request.session_id)
        self.done = False
        self._supervisor = supervisor
        self._binding = binding
        self._files = files
        self._held = held
        self._spool = JournalWriter.open(files.spool, opened.session.run, opened.epoch, held=held)
        self._grown = asyncio.Condition()
        self._provider: PluginSession | None = None
        self._health: asyncio.Task[str] | None = None
        self._call: asyncio.Task[wire.AgentRunResponse] | None = None
        self._written = False
        self._cancelled = False
        self._abandoned: str | None = None
        self._wakeup: asyncio.Task[None] | None = None

    async def run(self, *, resume: bool) -> None:
        """Open the spool, start the provider, ask it, spool what it does, close. Raises only if it is cancelled."""
        first = {"tool": self.opened.tool, "plugin": self._supervisor.plugin.name, "session_id": self.session_id}
        try:
            self._append(OPENED, {**first, "resume": resume}, sync=True)
            self._summarize("running")
            closed = await self._serve(resume=resume)
            self._append(CLOSED, closed.model_dump(mode="json", exclude_none=True), sync=True)
            reach(_CLOSED)
            self._summarize(str(closed.end))
        except AnimusError as error:  # the spool is full or broken: its readers see an interrupted session
            _log.error("session %s: %s", self.session_id, error)
        finally:
            if self._health is not None:
                self._health.cancel()
            if self._provider is not None:
                await self._provider.close()
            self._spool.close()
            self._held.close()
            self.done = True
            async with self._grown:
                self._grown.notify_all()

    async def follow(self, after_seq: int) -> AsyncIterator[JournalRecord]:
        """Every record after `after_seq`, as it comes; ends after the closing one, or when the session broke."""
        offset, seq = 0, after_seq
        while True:
            finished = self.done
            batch = read_from(self._files.spool, offset)
            for record in batch.records:
                if record.seq > seq:
                    seq = record.seq
                    yield record
                    if record.kind == CLOSED:
                        return
            offset = batch.next_offset
            if batch.records:
                continue
            if finished:
                return
            async with self._grown:
                while self._spool.position.seq <= seq and not self.done:
                    await self._grown.wait()

    async def leave(self) -> None:
        """End the provider because this process ends: nobody cancelled the work, and a later session may resume it."""
        if not self._cancelled:
            self._abandoned = "its agent-runner left"
        await self.cancel()

    async def cancel(self) -> None:
        """`agent/cancel`, 5 s, `$/cancelRequest`, then signals; returns when the provider has answered or gone."""
        self._cancelled = True
        provider, call = self._provider, self._call
        if provider is None or call is None or call.done():
            return
        if "agent/cancel" in provider.methods:
            try:
                request = wire.AgentCancelRequest(session_id=self.session_id)
                await provider.call(wire.AGENT_CANCEL, request, timeout_s=self._timings.cancel_s)
            except (RpcError, PluginFailed) as error:
                _log.info("session %s: agent/cancel: %s", self.session_id, error)
            await asyncio.wait([call], timeout=self._timings.cancel_s)
        if not call.done():
            call.cancel()  # sends $/cancelRequest; what does not stop by itself is ended with its process

    async def _serve(self, *, resume: bool) -> SessionClosed:
        name = self.session_id
        try:
            await self._supervisor.admit(name)
        except AnimusError as error:
            return SessionClosed(end=SessionEnd.DIED, written=False, message=str(error))
        try:
            closed = await self._start_and_ask(resume=resume)
        except BaseException:
            self._supervisor.done(name)
            raise
        if closed.end is SessionEnd.DIED and not self._cancelled:
            self._supervisor.crashed(name, closed.message or "it died")
        else:
            self._supervisor.done(name, worked=closed.end is SessionEnd.ANSWERED)
        return closed

    async def _start_and_ask(self, *, resume: bool) -> SessionClosed:
        if (early := self._cancelled_before_start()) is not None:
            return early
        try:
            provider = await self._supervisor.start(
                self.session_id,
                self._binding,
                cookie=cookie_of(self.opened.session),
                pass_fds=(self._held.inheritable_fd(),),
            )
        except AnimusError as error:
            return SessionClosed(end=SessionEnd.DIED, written=False, message=str(error))
        self._provider = provider
        self._health = asyncio.get_running_loop().create_task(self._supervisor.watch(provider))
        provider.on_notification(self._on_notification)
        if (early := self._cancelled_before_start()) is not None:
            return early
        reach(_BEFORE_WRITE)
        self._append(WRITTEN, {}, sync=True)
        self._written = True
        reach(_AFTER_WRITE)
        method = wire.AGENT_RESUME if resume else wire.AGENT_RUN
        limit = self.opened.request.timeout_secs
        timeout_s = _DEFAULT_TIMEOUT_S if limit is None else limit + self._timings.timeout_grace_s
        self._call = asyncio.ensure_future(provider.peer.call(method, self.opened.request, timeout_s=timeout_s))
        closed = await self._wait_for_response(self._call, provider, resume=resume)
        reach(_ANSWERED)
        return closed

    async def _wait_for_response(
        self, call: asyncio.Task[wire.AgentRunResponse], provider: PluginSession, *, resume: bool
    ) -> SessionClosed:
        resumable = "agent/resume" in provider.methods
        try:
            response = await asyncio.shield(call)
        except asyncio.CancelledError:
            if not call.cancelled():
                call.cancel()
                raise
            return self._closed_as_cancelled("in the middle", written=True, resumable=resumable)
        except RpcError as error:
            if isinstance(error, Cancelled) and self._cancelled:
                return self._closed_as_cancelled(error.message, written=True, resumable=resumable)
            if resume and error.category == "not_found":
                return SessionClosed(end=SessionEnd.UNKNOWN, written=True, message=str(error))
            return SessionClosed(end=SessionEnd.REFUSED, written=True, message=str(error))
        except CallTimeout as error:
            return SessionClosed(end=SessionEnd.TIMED_OUT, written=True, resumable=resumable, message=str(error))
        except PeerGone:
            await provider.child.wait_within(self._timings.cancel_s)
            code = provider.child.returncode
            how = "closed its output" if code is None else how_it_ended(code)
            why = f"provider {self._supervisor.plugin.name} {how}"
            tail = provider.child.stderr_tail
            message = f"{why}; it wrote to stderr:\n{tail}" if tail else why
            return SessionClosed(end=SessionEnd.DIED, written=True, resumable=resumable, message=message)
        except Exception as error:  # noqa: BLE001 - the boundary: an answer that does not fit ends this session alone
            return SessionClosed(end=SessionEnd.REFUSED, written=True, message=f"{type(error).__name__}: {error}")
        if self._cancelled:
            closed = self._closed_as_cancelled("its answer came after that", written=True, resumable=resumable)
            return closed.model_copy(update={"response": response})
        return SessionClosed(end=SessionEnd.ANSWERED, written=True, response=response)

    def _cancelled_before_start(self) -> SessionClosed | None:
        return self._closed_as_cancelled("before it began", written=False, resumable=False) if self._cancelled else None

    def _closed_as_cancelled(self, how: str, *, written: bool, resumable: bool) -> SessionClosed:
        """Cancelled, unless it was this process that could not go on with it."""
        if self._abandoned is not None:
            message = f"{self._abandoned} ({how})"
            return SessionClosed(end=SessionEnd.DIED, written=written, resumable=resumable, message=message)
        return SessionClosed(end=SessionEnd.CANCELLED, written=written, message=f"cancelled ({how})")

    def _on_notification(self, notification: Notification) -> None:
        kind = notification.method.removeprefix("agent/")
        if kind == notification.method or not isinstance(notification.params, dict):
            return
        data = {key: value for key, value in notification.params.items() if key != "session_id"}
        try:
            self._append(kind, data, sync=False)
        except AnimusError as error:
            _log.error("session %s: %s", self.session_id, error)
            self._abandoned = error.message
            if self._call is not None:
                self._call.cancel()

    def _append(self, kind: str, data: dict[str, Any], *, sync: bool) -> None:
        try:
            self._spool.append(kind, data, sync=sync)
        except InvalidInput as error:
            _log.warning("session %s: %s (it is cut)", self.session_id, error.message)
            self._spool.append(kind, _cut(kind, data), sync=sync)
        if self._wakeup is None or self._wakeup.done():
            self._wakeup = asyncio.get_running_loop().create_task(self._notify())

    async def _notify(self) -> None:
        async with self._grown:
            self._grown.notify_all()

    def _summarize(self, status: str) -> None:
        key = self.opened.session
        summary = {
            "provider": self.opened.tool,
            "plugin": self._supervisor.plugin.name,
            "session_id": self.session_id,
            "phase": key.phase,
            "attempt": key.attempt,
            "status": status,
        }
        write_json_atomic(self._files.summary, summary)


def cookie_of(key: SessionKey) -> str:
    """What marks the provider of a session and all its descendants."""
    return f"session:{key.run}:{key.phase}:{key.attempt}"


def _cut(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data` cut down for a record that is too big for the spool; a closing record can still be read as one."""
    if kind != CLOSED:
        cut: dict[str, Any] = truncate_to_fit({"data": data})["data"]
        return cut
    response = data.get("response")
    return {**data, "response": truncate_to_fit(response)} if response is not None else truncate_to_fit(data)


def read_spool(path: Path) -> tuple[dict[str, Any] | None, bool, SessionClosed | None]:
    """What a spool says: its first record's data, whether the provider may have been asked, and how it closed."""
    opened, written, closed, offset = None, False, None, 0
    while (batch := read_from(path, offset)).records:
        for record in batch.records:
            if record.kind == OPENED:
                opened = record.data
            elif record.kind == WRITTEN:
                written = True
            elif record.kind == CLOSED:
                closed = SessionClosed.model_validate(record.data)
        offset = batch.next_offset
    return opened, written, closed
