"""What must be there before a daemon starts: a provider, a subject backend, and what the workflows name.

Called by the daemon before any status changes, and by `animus daemon preflight`; below lie discovery and workflows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from animus_core.errors import InvalidInput
from animus_core.host.discover import Discovery
from animus_core.services.project import missing_providers, provider_names
from animus_core.workflow.load import load_workflows
from animus_core.workflow.plan import build_plan

__all__ = ["Shortfall", "check", "require"]


class Shortfall(NamedTuple):
    """One thing that is missing, and the command that mends it."""

    role: str
    message: str
    fix: str


def check(project_root: Path, discovery: Discovery) -> list[Shortfall]:
    """Everything that is missing. Raises InvalidWorkflow for workflow files that do not load."""
    found = []
    if not discovery.of_kind("provider"):
        found.append(Shortfall("provider", "no provider plugin is installed", "pip install animus-provider-mock"))
    if not discovery.of_kind("subject_backend"):
        message = "no subject backend is installed"
        found.append(Shortfall("subject_backend", message, "pip install animus-subject-files"))
    workflows = load_workflows(project_root, dict(os.environ))
    required = {variable.name: "" for one in workflows.workflows.values() for variable in one.value.variables}
    for defined in workflows.workflows.values():
        for tool in missing_providers(build_plan(workflows, defined.id, required), discovery):
            served = ", ".join(sorted(provider_names(discovery))) or "none"
            message = f"{defined.place}: workflow {defined.id!r} needs provider {tool!r} (installed: {served})"
            found.append(Shortfall("provider", message, f"pip install animus-provider-{tool}"))
    return found


def require(project_root: Path, discovery: Discovery) -> None:
    """Raise InvalidInput (exit 2) that lists every shortfall with its fix."""
    found = check(project_root, discovery)
    if not found:
        return
    lines = [f"{shortfall.message}\n  fix: {shortfall.fix}" for shortfall in found]
    lines += [f"{failure.name} was found and cannot be used: {failure.message}" for failure in discovery.warnings]
    details: list[dict[str, Any]] = [shortfall._asdict() for shortfall in found]
    raise InvalidInput(
        "preflight failed: " + "\n".join(lines),
        hint="Mend that and start again, or start without this check: --skip-preflight",
        details={"schema": "animus.daemon.preflight.v1", "ok": False, "missing": details},
    )
