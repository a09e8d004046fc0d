"""`animus plugin status | ping | call | restart`: plugins that run.

Below lies the control client. With a daemon they ask it; without one a plugin is started for the one question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any, Final

from animus_core.cli.connection import scope_of, with_control, with_daemon
from animus_core.cli.output import Output, table
from animus_core.cli.plugin.locations import locations_of
from animus_core.cli.plugin.params import json_object, params_from, params_of, row_name
from animus_core.control.presence import CALL_S
from animus_core.errors import RetryLater
from animus_core.services.plugin_inspection import inspect_plugin
from animus_protocol.models.control import plugin as wire

__all__ = ["call", "ping", "restart", "status"]

_START_S: Final = 60.0  # a plugin may have to be probed (5 s), started (30 s handshake) and ended again
_MARGIN_S: Final = 10.0  # the other side has bounds of its own: its reason should arrive before we give up
_MEBIBYTE: Final = 1024 * 1024


def status(args: argparse.Namespace, output: Output) -> int:
    """Print the state of every plugin, or of one."""
    params = wire.PluginStatusParams(name=args.name)
    found = with_control(scope_of(args), lambda control: control.call(wire.PLUGIN_STATUS, params))
    output.result(found.model_dump(mode="json", exclude_none=True), lambda: _format_statuses(found.plugins))
    return 0


def ping(args: argparse.Namespace, output: Output) -> int:
    """Ask a plugin whether it answers. Raises RetryLater (exit 5) with the reason when it does not."""
    params = wire.PluginNameParams(name=args.name)
    found = with_control(
        scope_of(args), lambda control: control.call(wire.PLUGIN_PING, params, timeout_s=_START_S + _MARGIN_S)
    )
    if not found.ok:
        raise RetryLater(
            found.error or f"plugin {args.name} does not answer", hint=f"Look closer: animus plugin info {args.name}"
        )
    output.result(found.model_dump(mode="json", exclude_none=True), f"{args.name} answers ({found.latency_ms} ms)")
    return 0


def call(args: argparse.Namespace, output: Output) -> int:
    """Call any method of a plugin and print its result. Raises InvalidInput before anything is called."""
    base = {} if args.params is None else json_object(args.params, "--params")
    given = params_from(_row_name(args), args.values, base)
    params = wire.PluginCallParams(name=args.name, method=args.method, params=given, timeout_secs=args.timeout_secs)
    timeout_s = _START_S + _MARGIN_S + (CALL_S if args.timeout_secs is None else args.timeout_secs)
    found: Any = with_control(
        scope_of(args), lambda control: control.call(wire.PLUGIN_CALL, params, timeout_s=timeout_s)
    )
    output.result(found, lambda: json.dumps(found, ensure_ascii=False, indent=2))
    return 0


def restart(args: argparse.Namespace, output: Output) -> int:
    """Take over what is installed now, forget the plugin's failures, start it again. Needs the daemon."""
    params = wire.PluginNameParams(name=args.name)
    restarted = with_daemon(
        scope_of(args), lambda control: control.call(wire.PLUGIN_RESTART, params, timeout_s=_START_S + _MARGIN_S)
    )
    output.result(restarted.model_dump(mode="json", exclude_none=True), f"{restarted.name}: {restarted.state}")
    return 0


def _row_name(args: argparse.Namespace) -> str:
    """The row whose types the values have. What a plugin claims is only asked for where it makes a difference."""
    kind, slash, verb = args.method.partition("/")
    # Asking starts a probe: not where there is nothing to read, or where the row is known anyway.
    if not args.values or not slash or kind == "subject" or not params_of(f"subject/{verb}"):
        name: str = args.method
        return name
    found = asyncio.run(inspect_plugin(locations_of(args), args.name))
    return row_name(args.method, () if found.plugin is None else found.plugin.subject_kinds)


def _format_statuses(plugins: list[wire.PluginStatusInfo]) -> str:
    rows = [
        [
            plugin.name,
            plugin.kind,
            plugin.state + (f" (again in {plugin.retry_in_ms / 1000:.0f} s)" if plugin.retry_in_ms is not None else ""),
            "" if plugin.pid is None else str(plugin.pid),
            "" if plugin.uptime_ms is None else f"{plugin.uptime_ms // 1000} s",
            "" if plugin.memory_bytes is None else f"{plugin.memory_bytes / _MEBIBYTE:.0f} MiB",
            str(plugin.restarts),
            plugin.last_error or "",
        ]
        for plugin in plugins
    ]
    return table(["PLUGIN", "KIND", "STATE", "PID", "UP", "MEMORY", "RESTARTS", "LAST ERROR"], rows)
