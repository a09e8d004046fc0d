"""`animus plugin status | ping | restart`: plugins that run.

Below lies the control client. With a daemon they ask it; without one a plugin is started for the one question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output, table
from animus_core.control import methods
from animus_core.control.ask import ask, ask_daemon
from animus_core.errors import RetryLater

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from animus_core.control import shapes

__all__ = ["START_MARGIN_S", "ping", "restart", "status"]

START_MARGIN_S: Final = 60.0 + 10.0
"""A plugin may have to be probed (5 s), started (30 s handshake) and ended again; and the other side has bounds of its
own, whose reason should arrive before we give up."""

_MEBIBYTE: Final = 1024 * 1024


def status(args: argparse.Namespace, output: Output) -> int:
    """Print the state of every plugin, or of one."""
    found = ask(scope_of(args), methods.PLUGIN_STATUS({"name": args.name}))
    output.result(found, lambda: _format_statuses(found["plugins"]))
    return 0


def ping(args: argparse.Namespace, output: Output) -> int:
    """Ask a plugin whether it answers. Raises RetryLater (exit 5) with the reason when it does not."""
    found = ask(scope_of(args), methods.PLUGIN_PING({"name": args.name}), timeout_s=START_MARGIN_S)
    if not found["ok"]:
        raise RetryLater(
            found.get("error") or f"plugin {args.name} does not answer",
            hint=f"Look closer: animus plugin info {args.name}",
        )
    output.result(found, f"{args.name} answers ({found.get('latency_ms')} ms)")
    return 0


def restart(args: argparse.Namespace, output: Output) -> int:
    """Take over what is installed now, forget the plugin's failures, start it again. Needs the daemon."""
    restarted = ask_daemon(scope_of(args), methods.PLUGIN_RESTART({"name": args.name}), timeout_s=START_MARGIN_S)
    output.result(restarted, f"{restarted['name']}: {restarted['state']}")
    return 0


def _format_statuses(plugins: Sequence[shapes.PluginStatus]) -> str:
    rows = [
        [
            plugin["name"],
            plugin["kind"],
            plugin["state"] + _format_retry(plugin.get("retry_in_ms")),
            str(plugin.get("pid", "")),
            _format_seconds(plugin.get("uptime_ms")),
            _format_memory(plugin.get("memory_bytes")),
            str(plugin["restarts"]),
            plugin.get("last_error") or "",
        ]
        for plugin in plugins
    ]
    return table(["PLUGIN", "KIND", "STATE", "PID", "UP", "MEMORY", "RESTARTS", "LAST ERROR"], rows)


def _format_retry(retry_in_ms: int | None) -> str:
    return "" if retry_in_ms is None else f" (again in {retry_in_ms / 1000:.0f} s)"


def _format_seconds(uptime_ms: int | None) -> str:
    return "" if uptime_ms is None else f"{uptime_ms // 1000} s"


def _format_memory(memory_bytes: int | None) -> str:
    return "" if memory_bytes is None else f"{memory_bytes / _MEBIBYTE:.0f} MiB"
