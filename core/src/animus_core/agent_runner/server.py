"""Every session of a project, on `agent-runner.sock`: open or attach, stream, cancel, leave.

A runner that dies leaves its sessions running; the next one attaches with the key and the last sequence number that its
journal holds. Below lie `session.py` and the protocol's dispatcher.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from animus_core.agent_runner.session import CancelTimings, LiveSession, SessionFiles, cookie_of, read_spool
from animus_core.errors import AnimusError
from animus_core.host.environment import COOKIE
from animus_core.host.plugin_state import StateChange
from animus_core.host.supervisor import Supervision
from animus_core.journal.reader import read_from
from animus_core.kinds.providers import Providers, provider_for
from animus_core.store.locks import HeldLock, acquire_within, is_held
from animus_core.store.paths import Scope
from animus_core.store.process_cleanup import end_by_cookie
from animus_core.supply.discovery.discover import Discovery
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.errors import Code, PeerGone, RpcError
from animus_protocol.models import agent_session as wire
from animus_protocol.models.base import Empty
from animus_protocol.models.control.plugin import PluginNameParams, PluginStatusResult
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.peer import Peer

__all__ = ["AgentRunner"]

_log = logging.getLogger("animus.agent_runner")
_DEAD_S: Final = 10.0
"""How long the kernel may take to free the lock of processes that were killed."""
_TERM_S: Final = 2.0
_Key = tuple[str, str, int]


class AgentRunner:
    """Owns every live session. `leave` is set when the process should end."""

    def __init__(
        self,
        scope: Scope,
        binding: ProjectBinding,
        discover: Callable[[], Awaitable[Discovery]],
        on_state_change: Callable[[StateChange], None] = lambda _: None,
        timings: CancelTimings = CancelTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        """`discover` says which plugins there are now; it is asked before each new session."""
        self._scope = scope
        self._binding = binding
        self._timings = timings
        self._discover = discover
        self._providers = Providers(Supervision(on_state_change=on_state_change))
        self._live: dict[_Key, LiveSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._epochs: dict[str, int] = {}
        self._opening = asyncio.Lock()
        self.leave = asyncio.Event()

    def dispatcher(self) -> Dispatcher:
        """The handler for every connection."""
        table = Dispatcher(_translate)
        table.answer(wire.SESSION_OPEN, lambda params, asker: self._open(params, asker, resume=False))
        table.answer(wire.SESSION_RESUME, lambda params, asker: self._open(params, asker, resume=True))
        table.answer(wire.SESSION_CANCEL, self._cancel)
        table.answer(wire.SHUTDOWN_IDLE, self._shutdown)
        table.answer(wire.PROVIDER_STATUS, self._statuses)
        table.answer(wire.PROVIDER_RESTART, self._restart)
        return table

    @property
    def live_sessions(self) -> int:
        """How many sessions have not closed yet."""
        return len(self._live)

    async def close(self) -> None:
        """End every session and its provider."""
        await asyncio.gather(*(session.leave() for session in list(self._live.values())))
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_DEAD_S)
        for task in (left := list(self._tasks)):
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_DEAD_S)

    async def _open(self, params: wire.SessionOpen, asker: Asker, *, resume: bool) -> wire.SessionOpened:
        self._check_epoch(params.session.run, params.epoch)
        async with self._opening:
            return await self._open_once(params, asker, resume=resume)

    async def _open_once(self, params: wire.SessionOpen, asker: Asker, *, resume: bool) -> wire.SessionOpened:
        key = params.session
        live = self._live.get((key.run, key.phase, key.attempt))
        if live is not None:
            self._start_task(self._stream(live, params.after_seq, asker.peer))
            return wire.SessionOpened(
                state=wire.SessionState.LIVE, session_id=live.session_id, written=True, resumable=False
            )
        files = self._files(key)
        opened, written, closed = await asyncio.to_thread(read_spool, files.spool)
        if opened is not None:
            return await self._answer_from_spool(params, opened, written, closed, asker.peer)
        session = await self._start(params, files, resume=resume)
        self._start_task(self._stream(session, params.after_seq, asker.peer))
        return wire.SessionOpened(
            state=wire.SessionState.LIVE, session_id=session.session_id, written=False, resumable=False
        )

    async def _start(self, params: wire.SessionOpen, files: SessionFiles, *, resume: bool) -> LiveSession:
        key = params.session
        plugin = provider_for(await self._discover(), params.tool)
        if plugin is None:
            raise RpcError(
                Code.INVALID_PARAMS, f"no provider plugin for tool {params.tool!r}", {"category": "not_found"}
            )
        if params.request.session_id is None:
            made_up = f"{key.run}-{key.phase}-{key.attempt}"
            request = params.request.model_copy(update={"session_id": made_up})
            params = params.model_copy(update={"request": request})
        files.spool.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = await self._attempt_lock(key, params.epoch)
        try:
            session = LiveSession(params, self._providers.of(plugin), self._binding, files, held, self._timings)
        except AnimusError:
            held.close()
            raise
        name = (key.run, key.phase, key.attempt)
        self._live[name] = session

        async def live() -> None:
            try:
                await session.run(resume=resume)
            finally:
                self._live.pop(name, None)

        self._start_task(live())
        return session

    async def _answer_from_spool(
        self,
        params: wire.SessionOpen,
        opened: dict[str, object],
        written: bool,
        closed: wire.SessionClosed | None,
        peer: Peer,
    ) -> wire.SessionOpened:
        """The answer about a session that is not live here: its spool has its end, or else its process has died."""
        session_id = str(opened.get("session_id"))
        if closed is not None:
            self._start_task(self._replay(params, peer))
            state = wire.SessionState.CLOSED
            return wire.SessionOpened(state=state, session_id=session_id, written=written, resumable=closed.resumable)
        held = await self._attempt_lock(params.session, params.epoch)
        held.close()
        plugin = provider_for(await self._discover(), params.tool)
        resumable = written and plugin is not None and "agent/resume" in plugin.manifest.capabilities
        await self._replay(params, peer)
        state = wire.SessionState.INTERRUPTED
        return wire.SessionOpened(state=state, session_id=session_id, written=written, resumable=resumable)

    async def _attempt_lock(self, key: wire.SessionKey, epoch: int) -> HeldLock:
        """Prove that no process of this attempt lives: end what is left of it, then take its lock."""
        path = self._scope.run_dir(key.run).attempt_lock(key.phase, key.attempt)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if await asyncio.to_thread(is_held, path):
            await asyncio.to_thread(end_by_cookie, COOKIE, cookie_of(key), grace_s=_TERM_S)
        return await asyncio.to_thread(acquire_within, path, _DEAD_S, epoch=epoch)

    async def _stream(self, session: LiveSession, after_seq: int, peer: Peer) -> None:
        closed = False
        async for record in session.follow(after_seq):
            peer.notify(wire.SESSION_RECORD, _record(session.opened.session, record.seq, record.kind, record.data))
            closed = record.kind == wire.CLOSED
            await peer.drained()
        if not closed:
            await peer.aclose()  # its spool broke: a runner that asks again learns what the spool says

    async def _replay(self, params: wire.SessionOpen, peer: Peer) -> None:
        offset = 0
        path = self._files(params.session).spool
        while (batch := await asyncio.to_thread(read_from, path, offset)).records:
            for record in batch.records:
                if record.seq > params.after_seq:
                    peer.notify(wire.SESSION_RECORD, _record(params.session, record.seq, record.kind, record.data))
            await peer.drained()
            offset = batch.next_offset

    async def _cancel(self, params: wire.SessionCancel, asker: Asker) -> Empty:
        self._check_epoch(params.session.run, params.epoch)
        key = params.session
        live = self._live.get((key.run, key.phase, key.attempt))
        if live is not None:
            await live.cancel()
        return Empty()

    async def _shutdown(self, params: wire.ShutdownIdle, asker: Asker) -> wire.ShutdownResult:
        leaving = params.force or not self._live
        if leaving:
            self.leave.set()
        return wire.ShutdownResult(leaving=leaving, live_sessions=len(self._live))

    async def _statuses(self, params: Empty, asker: Asker) -> PluginStatusResult:
        return PluginStatusResult(plugins=[one.to_wire("agent-runner") for one in self._providers.statuses()])

    async def _restart(self, params: PluginNameParams, asker: Asker) -> PluginStatusResult:
        provider = self._providers.named(params.name)
        if provider is not None:
            provider.reset()
        return PluginStatusResult(plugins=[] if provider is None else [provider.status().to_wire("agent-runner")])

    def _files(self, key: wire.SessionKey) -> SessionFiles:
        run = self._scope.run_dir(key.run)
        return SessionFiles(run.spool(key.phase, key.attempt), run.session(key.phase))

    def _check_epoch(self, run: str, epoch: int) -> None:
        seen = self._epochs.get(run, 0)
        if epoch < seen:
            message = f"epoch {epoch} of {run} is over: epoch {seen} owns the run"
            raise RpcError(Code.INVALID_REQUEST, message, {"category": "conflict"})
        self._epochs[run] = epoch

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task that `close` waits for."""

        async def quietly() -> None:
            try:
                await work
            except PeerGone:
                _log.info("a runner left; its session goes on")

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _record(key: wire.SessionKey, seq: int, kind: str, data: dict[str, object]) -> wire.SessionRecord:
    return wire.SessionRecord(session=key, seq=seq, kind=kind, data=dict(data))


def _translate(error: Exception) -> RpcError | None:
    if isinstance(error, AnimusError):
        return RpcError(Code.INTERNAL_ERROR, str(error), {"category": "unavailable"})
    return None
