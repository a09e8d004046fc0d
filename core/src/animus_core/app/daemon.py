"""The daemon's `main()`: take the lock, check what must be there, open everything, run the loop, close everything.

Run as `python -m animus_core.app.daemon` by `animus daemon run` and `start`; below lie all rooms of the core.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

from animus_core.app import imported
from animus_core.app.agent_runner_link import AgentRunnerLink
from animus_core.app.logs import log_to_stderr
from animus_core.app.spawn import core_environment, start_core_process
from animus_core.cli.output import Output
from animus_core.control.client import own_or_connect
from animus_core.control.local import open_project
from animus_core.control.sockets import listen
from animus_core.control.table import control_table
from animus_core.daemon.admission import Admission
from animus_core.daemon.capacity import DaemonSettings
from animus_core.daemon.launch import RunnerLaunch
from animus_core.daemon.loop import Loop
from animus_core.daemon.plugin_events import PluginEvents
from animus_core.daemon.registry import RunRegistry
from animus_core.daemon.state import read_settings
from animus_core.errors import AnimusError, Conflict, InvalidInput, NotTrusted
from animus_core.host.plugin_state import PluginState, StateChange
from animus_core.host.supervisor import Supervision
from animus_core.projectors.drive import ProjectorTask, RoutedSubjects
from animus_core.projectors.hooks import load_projectors
from animus_core.services import preflight
from animus_core.services.daemon_status import DaemonVitals
from animus_core.services.project import Project
from animus_core.store.locks import HeldLock, read_holder
from animus_core.store.paths import Scope, check_socket_path, config_dir
from animus_core.store.process_cleanup import end_by_cookie
from animus_core.supply.discovery.cached_discovery import CachedDiscovery
from animus_core.workflow.definitions import DaemonBlock
from animus_protocol.crash_points import set_role
from animus_protocol.models.agent_session import PluginMoved

__all__ = ["main"]

_log = logging.getLogger("animus.daemon")
DEFAULT_DRAIN_S: Final = 60.0
"""What `animus daemon stop` gives the runs where it names no other time; they lose nothing when it is over."""
_CATCH_UP_S: Final = 10.0
"""For projectors at the end; what they have not seen then, their cursor shows to the next daemon."""


def main() -> None:
    """Parse, run, and turn an error into the exit code and, for `daemon start`, one JSON line on `--ready-fd`."""
    imported()
    parser = argparse.ArgumentParser(prog="animus daemon run")
    parser.add_argument("--project-root", type=Path, required=True)
    parser.add_argument("--skip-preflight", action="store_true")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    set_role("daemon")
    log_to_stderr("daemon")
    ready = _Ready(args.ready_fd)
    try:
        asyncio.run(_serve(args.project_root, ready, skip_preflight=args.skip_preflight))
    except AnimusError as error:
        ready.failed(error)
        if args.ready_fd is None:  # in the foreground: a command like any other
            sys.exit(Output(json_mode=args.json).failure(error))
        _log.error("%s", error)
        sys.exit(error.exit_code)


class _Ready:
    """Tells the starter, once, that the daemon serves or why it does not."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def serving(self, untrusted: str | None) -> None:
        """It serves; `untrusted` says why it starts no work."""
        self._report({"ok": True, "pid": os.getpid(), "untrusted": untrusted})

    def failed(self, error: AnimusError) -> None:
        """It will not serve."""
        failure = {"code": error.code, "message": error.message, "hint": error.hint, "details": error.details}
        self._report({"ok": False, "error": failure})

    def _report(self, outcome: dict[str, Any]) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            # The starter gave up waiting; the daemon serves all the same.
            with contextlib.suppress(BrokenPipeError):
                os.write(fd, json.dumps(outcome).encode() + b"\n")
            os.close(fd)


async def _serve(root: Path, ready: _Ready, *, skip_preflight: bool) -> None:
    scope = Scope.of(root, os.environ)
    # Before anything is made or held: a path that is too long can only be fixed by the operator.
    check_socket_path(scope.control_socket)
    check_socket_path(scope.agent_runner_socket)
    scope.create()
    with await _own(scope):
        plugins = CachedDiscovery(config_dir(os.environ), root)
        discovery = await plugins.current()
        if not skip_preflight:
            # Before any status changes: what is missing must not become work that is held or failed.
            await asyncio.to_thread(preflight.require, root, discovery)
        # Plugins whose daemon was killed: the lock is ours, so none of them has a host any more.
        await asyncio.to_thread(end_by_cookie, "ANIMUS_COOKIE", f"plugin:{scope.root.name}", grace_s=1.0)
        events = PluginEvents()
        supervision = Supervision(on_state_change=events.moved, refresh=plugins.refreshed)
        async with open_project(scope, plugins, supervision) as project:
            await _Daemon(project, events).run(ready)
        scope.daemon_pid.unlink(missing_ok=True)
    _log.info("stopped")


async def _own(scope: Scope) -> HeldLock:
    """The scope's lock. Raises Conflict naming the daemon that runs."""
    found = await own_or_connect(scope)
    if isinstance(found, HeldLock):
        return found
    if found is not None:
        await found.aclose()
    holder = read_holder(scope.daemon_lock)
    pid = "unknown" if holder is None else holder.pid
    raise Conflict(
        f"a daemon of {scope.project_root} is running already (pid {pid})",
        hint="Look at it: animus daemon status",
    )


class _Daemon:
    """Everything that lives while the daemon serves."""

    def __init__(self, project: Project, plugin_events: PluginEvents) -> None:
        self.providers = AgentRunnerLink(project.scope)
        self._project = project
        self._plugin_events = plugin_events
        self._scope = project.scope
        self._began = time.monotonic()
        self._stopping = asyncio.Event()
        self._drain_s = DEFAULT_DRAIN_S
        self._runs = RunRegistry(
            self._scope, project.database, project.commit_signal, self._start_runner, project.commit_signal.nudge
        )
        self._admission = Admission(
            project.trust, project.database, project.commit_signal, project.plan_for, self._reread
        )
        self._loop = Loop(
            project.queue, self._runs, project.commit_signal, project.state, self._settings, self._admission
        )
        self._block = DaemonBlock()

    async def run(self, ready: _Ready) -> None:
        """Serve until `stop` is called; then drain and close in order."""
        await self._reread()
        self._settings()
        trust = await asyncio.to_thread(self._project.trust.check)
        # Before `adopt`: runners that outlived the last daemon dial in here, and 90 s later count as unresponsive.
        listener = listen(self._scope.control_socket, control_table(self._project, self._runs, self), "client")
        listener.on_left(self._runs.left)
        with contextlib.suppress(OSError):  # for display only
            self._scope.daemon_pid.write_text(f"{os.getpid()}\n")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, None)
        # Before the loop: the slots of runs that live on must be counted before new work is started.
        await self._runs.adopt()
        tasks = [asyncio.ensure_future(self._loop.run())]
        projectors = self._projectors()
        tasks += [asyncio.ensure_future(projector.run(0)) for projector in projectors]
        tasks.append(
            asyncio.ensure_future(self._plugin_events.run(self._project.database, self._project.commit_signal))
        )
        _log.info("serving %s (pid %d)", self._scope.project_root, os.getpid())
        ready.serving(None if trust.trusted else trust.reason)
        stop = asyncio.ensure_future(self._stopping.wait())
        # A task that ends by itself is a fault: the daemon stops and raises it, and does not go on without a loop.
        await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        # Nothing new first, then the runs, then the projectors that show their last facts, then the providers.
        self._loop.stop()
        _log.info("stopping: %d runs may go on for %g s", self._runs.active, self._drain_s)
        unfinished = await self._runs.close(drain_s=self._drain_s)
        if unfinished:
            _log.warning("%d runs are not over; the next daemon goes on with them", unfinished)
        await self._drain_projectors(projectors)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # After the runs: a runner that drains still needs its sessions.
        await self.providers.dismiss()
        # Last: clients see the daemon as long as it works, and know by the end of the connection that it has stopped.
        await listener.close()
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _reread(self) -> None:
        """Take over the workflows' `daemon:` settings; none while the files are broken (their work is then held)."""
        try:
            self._block = (await self._project.trusted_workflows()).daemon
        except NotTrusted:
            _log.info("the `daemon:` settings are left out: the workflow files are not trusted")
        except InvalidInput as error:
            _log.error("the `daemon:` settings are left out: %s", error.message)

    def vitals(self) -> DaemonVitals:
        """Its process, how long it lives, how many runs it has."""
        return DaemonVitals(os.getpid(), int(time.monotonic() - self._began), self._runs.active)

    def stop(self, drain_s: float | None) -> None:
        """Start nothing more, let runs finish for `drain_s` seconds (60), then leave."""
        if drain_s is not None:
            self._drain_s = drain_s
        self._stopping.set()

    def moved(self, move: PluginMoved) -> None:
        """The agent-runner says that one of its providers went from one state to another."""
        try:
            was, state = PluginState(move.was), PluginState(move.state)
        # A state of a newer agent-runner: this daemon has no word for it.
        except ValueError:
            return
        self._plugin_events.moved(StateChange(move.plugin, move.plugin_kind, was, state, move.reason, move.pid))

    def _settings(self) -> DaemonSettings:
        return read_settings(self._scope, self._block)

    def _projectors(self) -> list[ProjectorTask]:
        subjects = RoutedSubjects(self._project.router)
        wait = self._project.commit_signal.wait_newer_than
        return [ProjectorTask(one, self._project.database, subjects, wait) for one in load_projectors()]

    async def _drain_projectors(self, projectors: list[ProjectorTask]) -> None:
        """Let the projectors see the last facts, within a bound; the rest is seen by the next daemon."""
        self._project.commit_signal.publish()
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                for projector in projectors:
                    await projector.caught_up()
        except TimeoutError:
            _log.warning("facts are left to project; the next daemon does it")

    async def _start_runner(self, launch: RunnerLaunch, held: HeldLock) -> asyncio.subprocess.Process:
        arguments = ["--project-root", str(self._scope.project_root), "--run", launch.run_id]
        arguments += ["--epoch", str(launch.epoch)]
        if launch.order is not None:
            arguments += ["--order", launch.order.order.value]
            if launch.order.feedback is not None:
                arguments += ["--feedback", launch.order.feedback]
        plugins = self._project.discovery.plugins
        names = {required.name for plugin in plugins for required in plugin.manifest.env_required}
        names.update(name for plugin in plugins for name in plugin.candidate.options.pass_env)
        env = core_environment(names)
        return await start_core_process("animus_core.app.runner", arguments, log=launch.log, env=env, held=held)


if __name__ == "__main__":
    main()
