"""`animus daemon start | run | preflight`: what comes before a daemon serves.

Below lie the control client and the daemon's module, which is started as a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from typing import Any, Final

from animus_core.cli.connection import scope_of
from animus_core.cli.daemon.commands import format_untrusted, running_pid
from animus_core.cli.output import Output
from animus_core.errors import AnimusError, Conflict, Internal, InvalidInput, RetryLater, UnknownName
from animus_core.host.own_process import core_command, core_python_environment
from animus_core.store.paths import Scope, check_socket_path

__all__ = ["preflight", "run", "start"]

_MODULE: Final = "animus_core.app.daemon"
_START_S: Final = 60.0  # Python, a discovery with its probes (5 s each), and 30 s for the turn of another command
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
    running = running_pid(scope)
    if running is None:
        try:
            pid, untrusted = _start(scope, skip_preflight=args.skip_preflight)
        except Conflict:
            running = running_pid(scope)  # somebody else started one at the same moment
            if running is None:
                raise
        else:
            data = {"pid": pid, "started": True, "log_path": str(scope.daemon_log)}
            lines = [f"the daemon runs (pid {pid})", f"log: {scope.daemon_log}"]
            if untrusted is not None:
                data["untrusted"] = untrusted
                lines.append(format_untrusted(untrusted))
            output.result(data, "\n".join(lines))
            return 0
    data = {"pid": running, "started": False, "log_path": str(scope.daemon_log)}
    output.result(data, f"the daemon runs already (pid {running})")
    return 0


def preflight(args: argparse.Namespace, output: Output) -> int:
    """Say what is missing; exit 2 when something is."""
    # Imported here: the commands beside it need nothing of what is looked for.
    import asyncio

    from animus_core.services.preflight import require
    from animus_core.store.paths import config_dir
    from animus_core.supply.discovery.discover import discover

    scope = scope_of(args)
    require(scope.project_root, asyncio.run(discover(config_dir(os.environ), scope.project_root)))
    output.result({"schema": "animus.daemon.preflight.v1", "ok": True, "missing": []}, "everything is there")
    return 0


def _check_root(scope: Scope) -> None:
    if not (scope.project_root / ".animus").is_dir():
        raise InvalidInput(f"{scope.project_root} has no .animus folder", hint="Make one: animus init")


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
