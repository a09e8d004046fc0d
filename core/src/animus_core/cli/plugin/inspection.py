"""`animus plugin list | info | doctor | lock verify`: what there is, and what is wrong with it.

Below lie the services. These commands look for themselves, also while a daemon runs: what they show is what the next
start takes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any, Final

from animus_core.cli.output import Output, table
from animus_core.cli.plugin.locations import locations_of
from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.services.plugin_doctor import Problem, Verified, examine, verify
from animus_core.services.plugin_inspection import Inspection, inspect_plugin
from animus_core.services.plugins import to_wire
from animus_core.supply.discovery.discover import ProbeFailure

__all__ = ["doctor", "info", "list_plugins", "lock_verify"]

_TYPED_KINDS: Final[Mapping[str, str]] = {
    "subject": PluginKind.SUBJECT_BACKEND,
    "trigger": PluginKind.TRIGGER_BACKEND,
    "transport": PluginKind.TRANSPORT_BACKEND,
    "web-ui": PluginKind.WEB_UI,
    "log-storage": PluginKind.LOG_STORAGE_BACKEND,
}
"""Kinds as people type them, where the protocol has another name for them."""


def list_plugins(args: argparse.Namespace, output: Output) -> int:
    """Print the plugins that were found, and why others cannot be used."""
    found = asyncio.run(locations_of(args).discover(search_path=args.include_system_path, refresh=args.refresh))
    kind = _TYPED_KINDS.get(args.kind, args.kind)
    plugins = [to_wire(plugin) for plugin in found.plugins if kind is None or kind in plugin.kinds]
    there = sorted({kind for plugin in found.plugins for kind in plugin.kinds})
    # Plugins may have kinds that nobody has heard of, so only a kind that no plugin has can be a slip of the pen.
    if kind is not None and kind not in there and kind not in set(PluginKind):
        raise InvalidInput(f"--kind {args.kind}: no plugin is of this kind", hint=f"There are: {', '.join(there)}.")
    data = {
        "plugins": [plugin.model_dump(mode="json", exclude_none=True) for plugin in plugins],
        "warnings": [
            {"plugin": failure.name, "message": failure.message, "fix": failure.fix} for failure in found.warnings
        ],
    }

    def human() -> str:
        rows = [
            [plugin.name, plugin.kind, plugin.version, plugin.source or "", plugin.binary_path or ""]
            for plugin in plugins
        ]
        failures = [_format_failure(failure) for failure in found.warnings]
        return "\n".join([table(["PLUGIN", "KIND", "VERSION", "FOUND IN", "PROGRAM"], rows), *failures])

    output.result(data, human)
    return 0


def info(args: argparse.Namespace, output: Output) -> int:
    """Print all that is known of one plugin; nothing is started but its `--manifest`."""
    found = asyncio.run(inspect_plugin(locations_of(args), args.name))
    data = found.to_json()
    output.result(data, lambda: _format_inspection(found, data))
    return 0


def lock_verify(args: argparse.Namespace, output: Output) -> int:
    """Hash again what was installed. Raises Conflict (exit 4) that names what has changed."""
    rows = asyncio.run(verify(locations_of(args), args.name))
    data = [
        {"name": row.entry.name, "version": row.entry.version, "state": row.state, "changes": list(row.changes)}
        for row in rows
    ]
    listed = table(["PLUGIN", "VERSION", "STATE"], [[row.entry.name, row.entry.version, row.state] for row in rows])
    if not rows:
        listed = "nothing was installed with animus plugin install"
    drifted = [row for row in rows if row.state == "drifted"]
    if drifted:
        # People see the whole table before the failure; programs get one envelope, with every row in its details.
        if not output.json_mode:
            output.result(None, listed)
        raise Conflict(
            "changed since they were installed:\n" + "\n".join(map(_format_drift, drifted)),
            hint="To go on with the files as they were, install again: " + "; ".join(row.fix for row in drifted),
            details={"plugins": data},
        )
    output.result({"plugins": data}, listed)
    return 0


def doctor(args: argparse.Namespace, output: Output) -> int:
    """Look for every fault. Raises RetryLater (exit 5) that lists them with their fixes."""
    problems = asyncio.run(examine(locations_of(args)))
    if problems:
        many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RetryLater(
            "\n".join([f"{many} with plugins", *map(_format_problem, problems)]),
            details={"problems": [problem._asdict() for problem in problems]},
        )
    output.result({"problems": []}, "nothing is wrong with the plugins")
    return 0


def _format_failure(failure: ProbeFailure) -> str:
    return f"not usable: {failure.message}" + (f"\n  fix: {failure.fix}" if failure.fix else "")


def _format_problem(problem: Problem) -> str:
    first, *rest = problem.message.splitlines() or [""]
    where = f"{problem.plugin}: " if problem.plugin else ""
    return "\n".join([f"{where}{first}", *(f"  {line}" for line in rest), f"  fix: {problem.fix}"])


def _format_drift(row: Verified) -> str:
    return f"{row.entry.name}: {', '.join(row.changes)}"


def _format_inspection(found: Inspection, data: dict[str, Any]) -> str:
    """The lines for people; what does not apply is left out."""
    manifest = data.get("manifest", {})
    lines = [
        ("plugin", f"{found.name} {manifest.get('version', '')}".rstrip()),
        ("description", manifest.get("description")),
        ("kind", ", ".join(data.get("kinds", []))),
        ("subjects", ", ".join(data.get("subject_kinds", []))),
        ("methods", ", ".join(data.get("methods", []))),
        ("found in", data.get("found_in")),
        ("command", " ".join(data.get("command", []))),
        ("lock", data["lock"]),
        ("installed", _format_lock(data.get("locked"))),
        *((f"needs {variable['name']}", _format_variable(variable)) for variable in data.get("environment", [])),
        ("gives it", ", ".join([*data.get("env", []), *data.get("pass_env", [])])),
        ("limits", ", ".join(f"{name} {value}" for name, value in data.get("limits", {}).items())),
        *(("hides", f"{hidden['found_in']}: {' '.join(hidden['command'])}") for hidden in data.get("hides", [])),
        ("not usable", data.get("problem")),
        ("fix", data.get("fix")),
    ]
    width = max(len(name) for name, text in lines if text)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines if text)


def _format_lock(locked: dict[str, Any] | None) -> str | None:
    return None if locked is None else f"{locked['installed_at']} from {locked['source']}"


def _format_variable(variable: dict[str, Any]) -> str:
    return f"{'required' if variable['required'] else 'optional'}, {'set' if variable['set'] else 'not set'}"
