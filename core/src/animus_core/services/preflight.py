"""What must be there before a daemon starts: providers and backends, and what the workflows and the project name.

The daemon asks before any status changes. Below lie discovery and workflows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import InvalidInput
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.kinds.providers import package_of, tools_served
from animus_core.kinds.subjects.router import CUSTOM_SUBJECT, match_kind
from animus_core.services.project import missing_providers
from animus_core.store.project_config import DEFAULT_SUBJECT_KIND, default_subject_kind
from animus_core.supply.discovery.discover import Discovery
from animus_core.supply.distributions import how_to_install
from animus_core.workflow.load import load_workflows
from animus_core.workflow.plan import build_plan
from animus_protocol.plugin_names import SUBJECT_BACKEND_PREFIX

__all__ = ["Shortfall", "check", "require"]

_BACKENDS: Final = {DEFAULT_SUBJECT_KIND: "animus-subject-files"}


class Shortfall(NamedTuple):
    """One thing that is missing, and the command that fixes it."""

    role: str
    message: str
    fix: str


def check(project_root: Path, discovery: Discovery) -> list[Shortfall]:
    """Everything that is missing. Raises InvalidWorkflow, InvalidInput for the project's files that do not load."""
    return [
        *_roles(discovery),
        *_default_kind(default_subject_kind(project_root), discovery),
        *_providers(project_root, discovery),
    ]


def require(project_root: Path, discovery: Discovery) -> None:
    """Raise InvalidInput (exit 2) that lists every shortfall with its fix."""
    found = check(project_root, discovery)
    if not found:
        return
    lines = [f"{shortfall.message}\n  fix: {shortfall.fix}" for shortfall in found]
    named = {shortfall.fix for shortfall in found}
    for failure in discovery.warnings:
        # Other broken plugins are listed too: one of them is often the plugin that somebody believes to be installed.
        if failure.fix not in named:
            lines.append(f"{failure.name} was found and cannot be used: {failure.message}")
    details: list[dict[str, Any]] = [shortfall._asdict() for shortfall in found]
    raise InvalidInput(
        "preflight failed: " + "\n".join(lines),
        hint="Fix that and start again, or start without this check: --skip-preflight",
        details={"schema": "animus.daemon.preflight.v1", "ok": False, "missing": details},
    )


def _roles(discovery: Discovery) -> Iterator[Shortfall]:
    if not discovery.of_kind(PluginKind.PROVIDER):
        message = "no provider plugin is installed"
        yield _shortfall(PluginKind.PROVIDER, message, discovery, [package_of("")], package_of("mock"))
    if not discovery.of_kind(PluginKind.SUBJECT_BACKEND):
        message = "no subject backend is installed"
        yield _shortfall(
            PluginKind.SUBJECT_BACKEND, message, discovery, [SUBJECT_BACKEND_PREFIX], _BACKENDS[DEFAULT_SUBJECT_KIND]
        )


def _default_kind(kind: str, discovery: Discovery) -> Iterator[Shortfall]:
    backends = discovery.of_kind(PluginKind.SUBJECT_BACKEND)
    claims = {claim for backend in backends for claim in backend.subject_kinds}
    # A backend that says its kinds only in the handshake may serve this one; `_roles` reports if there is none at all.
    silent = any(not backend.subject_kinds for backend in backends)
    if kind == CUSTOM_SUBJECT or not backends or silent or match_kind(kind, claims) is not None:
        return
    message = (
        f"no subject backend serves {kind!r}, the kind of this project's subjects (served: {', '.join(sorted(claims))})"
    )
    wanted = _BACKENDS.get(kind, f"{SUBJECT_BACKEND_PREFIX}{kind.partition('.')[0]}")
    yield _shortfall(PluginKind.SUBJECT_BACKEND, message, discovery, [wanted, SUBJECT_BACKEND_PREFIX], wanted)


def _providers(project_root: Path, discovery: Discovery) -> Iterator[Shortfall]:
    workflows = load_workflows(project_root, dict(os.environ))
    # Any value will do: only the tools of the plan matter here, and the values come with each dispatch.
    required = {variable.name: "" for defined in workflows.workflows.values() for variable in defined.value.variables}
    for defined in workflows.workflows.values():
        for tool in missing_providers(build_plan(workflows, defined.id, required), discovery):
            served = ", ".join(sorted(tools_served(discovery))) or "none"
            message = f"{defined.place}: workflow {defined.id!r} needs provider {tool!r} (installed: {served})"
            wanted = package_of(tool)
            yield _shortfall(PluginKind.PROVIDER, message, discovery, [wanted, tool], wanted, exactly=True)


def _shortfall(
    role: str, message: str, discovery: Discovery, names: list[str], wanted: str, *, exactly: bool = False
) -> Shortfall:
    """A shortfall whose fix is that of a plugin that was found and would have served, else how to install `wanted`.

    `names` are what such a plugin is called (`exactly`) or how its name begins, the best first.
    """
    # A plugin that was found and is broken has to be repaired, not installed again: so its fix goes first.
    for name in names:
        for failure in discovery.warnings:
            if failure.name == name or (not exactly and failure.name.startswith(name)):
                fix = failure.fix or f"animus plugin info {failure.name}"
                return Shortfall(role, f"{message}; {failure.name} was found: {failure.message}", fix)
    return Shortfall(role, message, how_to_install(wanted))
