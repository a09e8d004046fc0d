"""The prompt of an agent: the phase's directive, the subject, and why the work is done again.

The variables are those of commands, too. Below lies the template.
"""

from __future__ import annotations

from animus_core.journal.kinds import PhaseStarted
from animus_core.workflow.plan import Plan, PlannedPhase
from animus_core.workflow.template import render
from animus_protocol.models.dispatch import SubjectDispatch

__all__ = ["build_prompt", "run_variables"]


def run_variables(plan: Plan, dispatch: SubjectDispatch, run_id: str, started: PhaseStarted) -> dict[str, str]:
    """The values of `{{name}}`: the workflow's variables and what the runner knows, which wins."""
    subject = dispatch.subject
    return {
        **plan.variables,
        "run_id": run_id,
        "workflow_ref": plan.workflow_ref,
        "phase": started.phase,
        "attempt": str(started.attempt),
        "subject_id": subject.id,
        "subject_kind": subject.kind,
        "subject_title": subject.title or subject.id,
        "subject_description": subject.description or "",
        "rework_reason": started.context or "",
    }


def build_prompt(phase: PlannedPhase, dispatch: SubjectDispatch, variables: dict[str, str], context: str | None) -> str:
    """The prompt of one attempt."""
    subject = dispatch.subject
    parts = [render(phase.directive, variables)] if phase.directive else []
    parts.append(f"Subject {subject.id}: {subject.title or subject.id}")
    if subject.description:
        parts.append(subject.description)
    if context:
        parts.append(f"This was done before and sent back. The reason:\n{context}")
    return "\n\n".join(parts)
