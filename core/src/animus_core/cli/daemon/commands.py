"""`animus daemon stop | status | pause | resume | events`: what a running daemon is asked.

Below lies the control client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_core.cli.connection import scope_of
from animus_core.cli.follow import follow
from animus_core.control import methods
from animus_core.control.ask import ask, ask_daemon
from animus_core.control.presence import daemon_is_running
from animus_core.errors import TRUST_HINT, RetryLater
from animus_core.store.locks import read_holder, wait_free

if TYPE_CHECKING:
    import argparse

    from animus_core.cli.output import Output
    from animus_core.store.paths import Scope

__all__ = ["events", "format_untrusted", "pause", "resume", "running_pid", "status", "stop"]

_DRAIN_S: Final = 60  # the daemon's own default: both have to wait for the same runs
_CLOSE_S: Final = 60.0  # more than its bounds after the drain: runners 10 s, projectors 10 s, agent-runner 15 s


def stop(args: argparse.Namespace, output: Output) -> int:
    """Ask it to stop and wait until it has gone."""
    scope = scope_of(args)
    if running_pid(scope) is None:
        output.result({"stopped": False}, "no daemon is running")
        return 0
    ask_daemon(scope, methods.DAEMON_STOP({"drain_secs": args.drain_secs}))
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
    now = ask(scope_of(args), methods.DAEMON_STATUS({}))

    def human() -> str:
        head = f"running (pid {now.get('pid')}, {now.get('uptime_seconds')} s)" if now["running"] else "not running"
        if now.get("paused"):
            head += ", paused"
        lines = [f"daemon: {head}", f"project: {now.get('project_root')}", f"queued: {now.get('queued')}"]
        untrusted = now.get("untrusted")
        if untrusted is not None:
            lines.append(format_untrusted(untrusted))
        if now["running"]:
            lines.append(f"runs: {now.get('active_runs')}")
        return "\n".join([*lines, f"log: {now.get('log_path')}"])

    output.result(now, human)
    return 0


def pause(args: argparse.Namespace, output: Output) -> int:
    """Start no new work; kept across restarts."""
    ask(scope_of(args), methods.DAEMON_PAUSE({}))
    output.result({"paused": True}, "paused: running work goes on, nothing new is started")
    return 0


def resume(args: argparse.Namespace, output: Output) -> int:
    """Start new work again."""
    ask(scope_of(args), methods.DAEMON_RESUME({}))
    output.result({"paused": False}, "resumed")
    return 0


def events(args: argparse.Namespace, output: Output) -> int:
    """Print events as JSON lines until interrupted: a stream, so without the envelope."""
    follow(scope_of(args), methods.DAEMON_EVENTS({"since": args.since}), methods.DAEMON_EVENT)
    return 0


def running_pid(scope: Scope) -> int | None:
    """The pid of the daemon that serves; None when there is none, also when a short command held its lock."""
    if not daemon_is_running(scope):
        return None
    try:
        return ask_daemon(scope, methods.DAEMON_STATUS({})).get("pid")
    # It may have left between the look at its lock and the call: then there is none, and that is no error.
    except RetryLater:
        if daemon_is_running(scope):
            raise
        return None


def format_untrusted(reason: str) -> str:
    """Why nothing starts, and what to do."""
    return f"no work of this repository starts: {reason}\n{TRUST_HINT}"
