"""One plugin while its author works on it: started, asked, started again after an edit, ended as a host ends it.

Below lie the host's own session with a tap on its wire, `target.py`, `changes.py` and `trace.py`. Working on a
plugin is an explicit act of the operator on a named path: it is executed without asking the trust store, and nothing is
written there. A plugin that does not start, or dies, is reported, and the next edit starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import AnimusError, InvalidInput, PluginFailed, RetryLater
from animus_core.host.session import PluginSession, open_session
from animus_core.host.tap import Direction, Tap
from animus_core.launch_options import LaunchOptions
from animus_core.services.dev.changes import watch_sources
from animus_core.services.dev.target import Sources, read_target
from animus_core.services.dev.trace import FrameLines, Remark, StderrLine, TraceEvent, now
from animus_core.supply.discovery.candidates import Candidate
from animus_core.supply.discovery.discover import Plugin
from animus_core.supply.discovery.manifest import probe
from animus_core.supply.discovery.registry import read_registry
from animus_protocol.errors import PeerStuck, RpcError
from animus_protocol.models.base import encode
from animus_protocol.models.lifecycle import CANCEL_REQUEST, CancelParams, ProjectBinding

__all__ = ["DevTarget", "Workbench"]

_CALL_S: Final = 3600.0  # a breakpoint may hold an answer for long; the author can cancel or restart
_FILES_NAMED: Final = 3
_STDERR: Final = "animus.stderr"


class DevTarget(NamedTuple):
    """What is worked on and where: `path` with `arguments`, for `project`, with the operator's `config_dir`."""

    path: Path
    arguments: tuple[str, ...]
    project: ProjectBinding
    config_dir: Path


class Workbench:
    """Runs one plugin at a time and shows all that is to be seen of it. `close` ends it; safe to call again."""

    def __init__(self, dev_target: DevTarget, show: Callable[[TraceEvent], None]) -> None:
        self._dev_target = dev_target
        self._show = show
        self._session: PluginSession | None = None
        self._starting: asyncio.Task[None] | None = None
        # A restart, an end and a clean-up are about one process each: two at once could end the new one for the old.
        self._one = asyncio.Lock()
        self._cleanups: set[asyncio.Task[None]] = set()
        self._stderr = _StderrHandler(self._take_record)
        logging.getLogger("animus").addHandler(self._stderr)
        # A command's log is silent by default, and these lines are what the author wants to see.
        logging.getLogger(_STDERR).setLevel(logging.INFO)

    @property
    def session(self) -> PluginSession | None:
        """The running plugin; None while it does not run."""
        return self._session

    async def restart(self) -> None:
        """End it if it runs or is being started, and start it. What goes wrong is shown."""
        # Before the lock: a start that hangs holds it until it is given up.
        self._cancel_start()
        async with self._one:
            await self._end()
            starting = self._starting = asyncio.create_task(self._start())
            try:
                await asyncio.wait([starting])
            except asyncio.CancelledError:
                self._cancel_start()
                await asyncio.wait([starting])  # whoever leaves waits for its end as well, which is bounded
                raise
            finally:
                self._starting = None
            if starting.cancelled():
                return  # for another start, which waits for this one to be over
            try:
                starting.result()
            except AnimusError as error:
                self._show_failure(error)

    async def follow_edits(self) -> None:
        """Restart it after every edit, until cancelled. Raises InvalidInput for a path that is not a plugin.

        An edit does not wait for a start that may hang because of what it fixes.
        """
        # Outside of the loop: a path that is not a plugin at the beginning is the operator's mistake.
        sources = read_target(self._dev_target.path).sources
        edited: set[Path] = set()
        noticed = asyncio.Event()

        def take(files: list[Path]) -> None:
            edited.update(files)
            noticed.set()
            self._cancel_start()

        watching = self._watch(sources, take)
        try:
            while True:
                await noticed.wait()
                files = sorted(edited)
                edited.clear()
                noticed.clear()
                # An edit may add a folder or move the modules: then other places have to be watched.
                if (there := await asyncio.to_thread(self._sources_now, sources)) != sources:
                    watching.cancel()
                    await asyncio.wait([watching])
                    sources, watching = there, self._watch(there, take)
                self._remark("changed", f"changed: {_format_files(files)}", {"files": [str(file) for file in files]})
                await self.restart()
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def call(self, method: str, params: Mapping[str, Any]) -> bool:
        """Ask, and show the answer; whether it was one without an error."""
        session = self._session
        if session is None:
            self._remark("refused", f"{method}: the plugin does not run", failed=True)
            return False
        loop = asyncio.get_running_loop()
        began, numbers = loop.time(), list[int]()
        try:
            result = await session.call_raw(method, encode(params), timeout_s=_CALL_S, sent=numbers.append)
        except RpcError as error:
            failure = {"code": error.code, "message": error.message}
            self._answer(method, numbers, loop.time() - began, {"error": failure})
            return False
        except PluginFailed as error:
            self._remark("unanswered", error.message, {"method": method, "id": next(iter(numbers), None)}, failed=True)
            return False
        self._answer(method, numbers, loop.time() - began, {"result": result})
        return True

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification, if it runs."""
        if self._session is None or not self._session.alive:
            self._remark("refused", f"{method}: the plugin does not run", failed=True)
            return
        try:
            self._session.peer.notify_raw(method, encode(params))
        except PeerStuck as error:
            self._remark("refused", str(error), failed=True)

    def cancel(self, request_id: int | str) -> None:
        """Tell the plugin to cancel one of the requests that it works on."""
        self.notify(CANCEL_REQUEST.name, CancelParams(id=request_id).model_dump())

    async def close(self) -> None:
        """End the plugin and show nothing more."""
        async with self._one:
            await self._end()
        if self._cleanups:
            await asyncio.wait(self._cleanups)
        logging.getLogger("animus").removeHandler(self._stderr)

    def _watch(self, sources: Sequence[Sources], take: Callable[[list[Path]], None]) -> asyncio.Task[None]:
        watching = asyncio.create_task(watch_sources(sources, take))
        watching.add_done_callback(self._show_unwatched)
        return watching

    def _sources_now(self, known: tuple[Sources, ...]) -> tuple[Sources, ...]:
        """What it is made of after an edit, which may have added a folder; `known` while the edit is a broken one."""
        try:
            return read_target(self._dev_target.path).sources
        except InvalidInput:
            return known

    async def _start(self) -> None:
        dev_target = self._dev_target
        target = await asyncio.to_thread(read_target, dev_target.path, dev_target.arguments)
        manifest = await probe(target.name, target.command)
        options = await asyncio.to_thread(_options, dev_target.config_dir, manifest.name)
        plugin = Plugin(Candidate(manifest.name, target.command, "development", options), manifest)
        self._remark(
            "manifest", _format_manifest(plugin), {"manifest": manifest.model_dump(mode="json", exclude_none=True)}
        )
        lines = FrameLines()

        def show(direction: Direction, chunk: bytes) -> None:
            for frame in lines.feed(direction, chunk):
                self._show(frame)

        session = await open_session(
            plugin,
            dev_target.project,
            cookie=f"plugin-dev:{dev_target.project.repo_scope}",
            require_environment=True,
            tap=Tap(show),
        )
        self._session = session
        self._remark("ready", f"ready (pid {session.child.pid})", {"pid": session.child.pid})
        session.peer.ended.add_done_callback(lambda _: self._gone(session))

    def _cancel_start(self) -> None:
        """Cancel a start that has begun. To ask again does nothing, so that its end is not disturbed."""
        if self._starting is not None and not self._starting.cancelling():
            self._starting.cancel()

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        closing = asyncio.ensure_future(session.close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])  # whoever leaves waits for its end as well, which is bounded
            raise

    def _gone(self, session: PluginSession) -> None:
        if session is self._session:
            cleanup = asyncio.get_running_loop().create_task(self._clean_up_after_exit(session))
            self._cleanups.add(cleanup)
            cleanup.add_done_callback(self._cleanups.discard)

    async def _clean_up_after_exit(self, session: PluginSession) -> None:
        """The plugin ended by itself: show how, and end what it left behind."""
        how = await session.how_it_ended()
        async with self._one:
            if session is not self._session:
                return  # a restart came first
            self._session = None
            await session.end()
        text = f"it {how}; the next edit, or restart, starts it again"
        self._remark("ended", text, {"exit_code": session.child.returncode}, failed=True)

    def _answer(self, method: str, numbers: list[int], took_s: float, answer: Mapping[str, Any]) -> None:
        data = {"method": method, "id": numbers[0], "took_ms": round(took_s * 1000, 1), **answer}
        self._remark("answer", f"{method} took {took_s * 1000:.1f} ms", data, failed="error" in answer)

    def _show_failure(self, error: AnimusError) -> None:
        hint = None if isinstance(error, PluginFailed) else error.hint  # that one repeats the stderr that was shown
        text = "\n".join(filter(None, [error.message, hint, "Fix it: the next edit, or restart, starts it again."]))
        self._remark("failed", text, {"code": error.code}, failed=True)

    def _show_unwatched(self, watching: asyncio.Task[None]) -> None:
        error = None if watching.cancelled() else watching.exception()
        if isinstance(error, BaseExceptionGroup) and error.subgroup(RetryLater) is not None:
            error = error.exceptions[0]
        if error is not None:
            self._remark("unwatched", str(error), failed=True)

    def _remark(self, event: str, text: str, data: Mapping[str, Any] | None = None, *, failed: bool = False) -> None:
        self._show(Remark(now(), event, text, data or {}, failed))

    def _take_record(self, record: logging.LogRecord, text: str) -> None:
        if record.name == _STDERR and record.levelno == logging.INFO:
            self._show(StderrLine(now(), text))
        else:
            self._remark("log", text, {"level": record.levelname.lower()}, failed=True)


class _StderrHandler(logging.Handler):
    """The host logs the lines of stderr under the plugin's name, and warns of what it drops: both are shown."""

    def __init__(self, take: Callable[[logging.LogRecord, str], None]) -> None:
        super().__init__(logging.INFO)
        self._take = take

    def filter(self, record: logging.LogRecord) -> bool:
        """Lines of the plugin, and only warnings of ours: the frames show everything else."""
        return record.name == _STDERR or record.levelno >= logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        """Show it without the plugin's name, which is known."""
        self._take(record, getattr(record, "text", record.getMessage()))


def _options(config_dir: Path, name: str) -> LaunchOptions:
    """What the operator's registry gives a plugin of this name. Raises InvalidInput."""
    rows = read_registry(config_dir / "plugins.yaml").rows
    return next((row.options for row in rows if row.name == name), LaunchOptions())


def _format_manifest(plugin: Plugin) -> str:
    """A manifest in one line."""
    manifest = plugin.manifest
    methods = sum("/" in capability and not capability.startswith("$") for capability in manifest.capabilities)
    parts = [f"{manifest.name} {manifest.version}", ", ".join(plugin.kinds)]
    if plugin.subject_kinds:
        parts.append(f"subjects: {', '.join(plugin.subject_kinds)}")
    parts += [f"{methods} methods", f"protocol {manifest.protocol_version}", manifest.description]
    return " | ".join(filter(None, parts))


def _format_files(files: Sequence[Path]) -> str:
    names = [os.path.relpath(file) for file in files[:_FILES_NAMED]]
    more = len(files) - len(names)
    return shlex.join(names) + (f" and {more} more" if more > 0 else "")
