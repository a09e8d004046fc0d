"""`animus daemon …`: start, run, stop, status, pause, resume, preflight, events.

Below lie the control client and the daemon's module, which is started as a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import subprocess
import sys
import time
from typing import Any, Final

from animus_core.cli.connection import scope_of, with_control, with_daemon
from animus_core.cli.follow import follow
from animus_core.cli.output import Output
from animus_core.control.client import daemon_is_running
from animus_core.errors import AnimusError, Conflict, Internal, InvalidInput, RetryLater, UnknownName
from animus_core.host.own_process import core_command, core_python_environment
from animus_core.store.locks import read_holder, wait_free
from animus_core.store.paths import Scope, check_socket_path
from animus_protocol.models.base import Empty
from animus_protocol.models.control import daemon as wire

__all__ = ["events", "pause", "preflight", "resume", "run", "start", "status", "stop"]

_MODULE: Final = "animus_core.app.daemon"
_START_S: Final = 60.0  # Python, a discovery with its probes (5 s each), and 30 s for the turn of another command
_DRAIN_S: Final = 60  # the daemon's own default: both have to wait for the same runs
_CLOSE_S: Final = 60.0  # more than its bounds after the drain: runners 10 s, projectors 10 s, agent-runner 15 s
_ERRORS: Final = {cls.code: cls for cls in (Internal, InvalidInput, UnknownName, Conflict, RetryLater)}


def run(args: argparse.Namespace, output: Output) -> int:
    """Become the daemon."""
    scope = scope_of(args)
    _check_root(scope)
    command = core_command(_MODULE, ["--project-root", str(scope.project_root)])
    if args.skip_preflight:
        command.append("--skip-preflight")
    if output.json_mode:
        command.append("--json")
    # Replaced and not started: the pid that a service manager watches is the daemon's.
    os.execve(sys.executable, command, core_python_environment(os.environ))


def start(args: argparse.Namespace, output: Output) -> int:
    """Start it in the background and wait until it serves; one that runs already is fine."""
    scope = scope_of(args)
    _check_root(scope)
    check_socket_path(scope.control_socket)
    scope.create()
    running = _running_pid(scope)
    if running is None:
        try:
            pid, untrusted = _start(scope, skip_preflight=args.skip_preflight)
        except Conflict:
            running = _running_pid(scope)  # somebody else started one at the same moment
            if running is None:
                raise
        else:
            data = {"pid": pid, "started": True, "log_path": str(scope.daemon_log)}
            lines = [f"the daemon runs (pid {pid})", f"log: {scope.daemon_log}"]
            if untrusted is not None:
                data["untrusted"] = untrusted
                lines.append(_format_untrusted(untrusted))
            output.result(data, "\n".join(lines))
            return 0
    data = {"pid": running, "started": False, "log_path": str(scope.daemon_log)}
    output.result(data, f"the daemon runs already (pid {running})")
    return 0


def stop(args: argparse.Namespace, output: Output) -> int:
    """Ask it to stop and wait until it has gone."""
    scope = scope_of(args)
    params = wire.DaemonStopParams(drain_secs=args.drain_secs)
    if _running_pid(scope) is None:
        output.result({"stopped": False}, "no daemon is running")
        return 0
    with_daemon(scope, lambda control: control.call(wire.DAEMON_STOP, params))
    drain_s = _DRAIN_S if args.drain_secs is None else args.drain_secs
    # The answer only says that it begins to stop; the kernel frees the lock when it is gone.
    if not wait_free(scope.daemon_lock, drain_s + _CLOSE_S):
        holder = read_holder(scope.daemon_lock)
        pid = "unknown" if holder is None else holder.pid
        raise RetryLater(f"the daemon (pid {pid}) has not stopped", hint=f"Read {scope.daemon_log}.")
    output.result({"stopped": True}, "the daemon has stopped")
    return 0


def status(args: argparse.Namespace, output: Output) -> int:
    """Say whether it runs and what it does."""
    scope = scope_of(args)
    now = with_control(scope, lambda control: control.call(wire.DAEMON_STATUS, Empty()))
    data = now.model_dump(mode="json", exclude_none=True)

    def human() -> str:
        head = f"running (pid {now.pid}, {now.uptime_seconds} s)" if now.running else "not running"
        if now.paused:
            head += ", paused"
        lines = [f"daemon: {head}", f"project: {now.project_root}", f"queued: {now.queued}"]
        if now.untrusted is not None:
            lines.append(_format_untrusted(now.untrusted))
        if now.running:
            lines.append(f"runs: {now.active_runs}")
        return "\n".join([*lines, f"log: {now.log_path}"])

    output.result(data, human)
    return 0


def pause(args: argparse.Namespace, output: Output) -> int:
    """Start no new work; kept across restarts."""
    with_control(scope_of(args), lambda control: control.call(wire.DAEMON_PAUSE, Empty()))
    output.result({"paused": True}, "paused: running work goes on, nothing new is started")
    return 0


def resume(args: argparse.Namespace, output: Output) -> int:
    """Start new work again."""
    with_control(scope_of(args), lambda control: control.call(wire.DAEMON_RESUME, Empty()))
    output.result({"paused": False}, "resumed")
    return 0


def preflight(args: argparse.Namespace, output: Output) -> int:
    """Say what is missing; exit 2 when something is."""
    from animus_core.services.preflight import require
    from animus_core.store.paths import config_dir
    from animus_core.supply.discovery.discover import discover

    scope = scope_of(args)
    require(scope.project_root, asyncio.run(discover(config_dir(os.environ), scope.project_root)))
    output.result({"schema": "animus.daemon.preflight.v1", "ok": True, "missing": []}, "everything is there")
    return 0


def events(args: argparse.Namespace, output: Output) -> int:
    """Print events as JSON lines until interrupted: a stream, so without the envelope."""
    scope = scope_of(args)

    follow(scope, wire.DAEMON_EVENTS, wire.DaemonEventsParams(since=args.since), wire.DAEMON_EVENT.name)
    return 0


def _running_pid(scope: Scope) -> int | None:
    """The pid of the daemon that serves; None when there is none, also when a short command held its lock."""
    if not daemon_is_running(scope):
        return None
    try:
        return with_daemon(scope, lambda control: control.call(wire.DAEMON_STATUS, Empty())).pid
    # It may have left between the look at its lock and the call: then there is none, and that is no error.
    except RetryLater:
        if daemon_is_running(scope):
            raise
        return None


def _check_root(scope: Scope) -> None:
    if not (scope.project_root / ".animus").is_dir():
        raise InvalidInput(f"{scope.project_root} has no .animus folder", hint="Make one: animus init")


def _format_untrusted(reason: str) -> str:
    from animus_core.supply.trust.trust import TRUST_HINT

    return f"no work of this repository starts: {reason}\n{TRUST_HINT}"


def _start(scope: Scope, *, skip_preflight: bool) -> tuple[int, str | None]:
    """The pid of the daemon that serves now, and why it starts no work, if so."""
    read_fd, write_fd = os.pipe()
    command = core_command(_MODULE, ["--project-root", str(scope.project_root), "--ready-fd", str(write_fd)])
    if skip_preflight:
        command.append("--skip-preflight")
    with scope.daemon_log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_fd,),
            start_new_session=True,
            cwd=str(scope.project_root),
            env=core_python_environment(os.environ),
        )
    # Our copy: while it is open, the end of a daemon that dies without a word would not be seen.
    os.close(write_fd)
    try:
        ready = _read_line(read_fd)
    finally:
        os.close(read_fd)
    if ready is None:
        # It is not ended here: it may only be slow, and its log says how far it is.
        code = process.poll()
        how = f"ended with code {code}" if code is not None else f"does not serve after {_START_S:g} s"
        raise RetryLater(f"the daemon {how}", hint=f"Read {scope.daemon_log}.")
    if ready["ok"]:
        return int(ready["pid"]), ready["untrusted"]
    error = ready["error"]
    # The daemon's own error with its own exit code, as if the command had failed by itself.
    cls: type[AnimusError] = _ERRORS.get(error["code"], Internal)
    raise cls(error["message"], hint=error["hint"], details=error["details"])


def _read_line(fd: int) -> dict[str, Any] | None:
    """The one line that the daemon writes; None when it ends or takes too long without one."""
    deadline, line = time.monotonic() + _START_S, b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(fd, 65536) if readable else b""
        if not chunk:
            return None
        line += chunk
    ready: dict[str, Any] = json.loads(line)
    return ready
