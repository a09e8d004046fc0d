"""`animus workflow …`: validate, list, get, resume, cancel.

Below lie the control client and, for `validate`, the workflow files alone.
"""

from __future__ import annotations

import argparse
import os

from animus_core.cli.connection import scope_of, with_control
from animus_core.cli.output import Output, table
from animus_protocol.models.control import workflow as wire

__all__ = ["cancel", "get", "list_runs", "resume", "validate"]


def validate(args: argparse.Namespace, output: Output) -> int:
    """Check the project's workflow files; every mistake with file and line, exit 2."""
    # Imported here: the commands beside it ask the daemon, and need no YAML.
    from animus_core.workflow.load import load_workflows

    scope = scope_of(args)
    # Read here and not in the daemon: files are validated while they are written, trusted or not.
    workflows = load_workflows(scope.project_root, dict(os.environ))
    ids = sorted(defined.id for defined in workflows.workflows.values())
    data = {"ok": True, "workflows": ids, "warnings": [str(issue) for issue in workflows.warnings]}
    lines = [f"warning: {issue}" for issue in workflows.warnings]
    output.result(data, "\n".join([*lines, f"valid: {', '.join(ids) or 'no workflows'}"]))
    return 0


def list_runs(args: argparse.Namespace, output: Output) -> int:
    """Print the runs."""
    params = wire.WorkflowListParams(status=args.status, limit=args.limit)
    found = with_control(scope_of(args), lambda control: control.call(wire.WORKFLOW_LIST, params))
    rows = [
        [
            run.id,
            run.subject_id or "",
            run.definition,
            _format_status(run),
            run.current_phase or "",
            (run.blocked_reason or run.failure_reason or "").partition("\n")[0],
        ]
        for run in found.runs
    ]
    data = {
        "runs": [run.model_dump(mode="json", exclude_none=True) for run in found.runs],
        "next_cursor": found.next_cursor,
    }
    more = f"\nthere is more: --limit {2 * args.limit}" if found.next_cursor else ""
    output.result(data, lambda: table(["RUN", "SUBJECT", "WORKFLOW", "STATUS", "PHASE", "REASON"], rows) + more)
    return 0


def get(args: argparse.Namespace, output: Output) -> int:
    """Print one run with its phases."""
    params = wire.WorkflowIdParams(id=args.run_id)
    run = with_control(scope_of(args), lambda control: control.call(wire.WORKFLOW_GET, params))

    def human() -> str:
        detail = run.detail if isinstance(run.detail, dict) else {}
        phases = [
            [
                phase["phase_id"],
                str(phase["attempt"]),
                phase["status"],
                phase.get("verdict", ""),
                phase.get("reason", "").partition("\n")[0],
            ]
            for phase in detail.get("phases", [])
        ]
        lines = [f"{run.id}: {_format_status(run)} ({run.subject_id}, workflow {run.definition})"]
        lines += [line for line in (run.blocked_reason or run.failure_reason, detail.get("hint")) if line]
        lines.append(table(["PHASE", "ATTEMPT", "STATUS", "VERDICT", "REASON"], phases))
        return "\n".join([*lines, f"journal: {detail.get('journal')}"])

    output.result(run.model_dump(mode="json", exclude_none=True), human)
    return 0


def resume(args: argparse.Namespace, output: Output) -> int:
    """Repeat the phase of a blocked run."""
    params = wire.WorkflowResumeParams(id=args.run_id, feedback=args.feedback, force=True)
    run = with_control(scope_of(args), lambda control: control.call(wire.WORKFLOW_RESUME, params))
    output.result(run.model_dump(mode="json", exclude_none=True), f"{run.id}: resumed")
    return 0


def cancel(args: argparse.Namespace, output: Output) -> int:
    """End a run."""
    params = wire.WorkflowCancelParams(id=args.run_id, reason=args.reason)
    run = with_control(scope_of(args), lambda control: control.call(wire.WORKFLOW_CANCEL, params))
    output.result(run.model_dump(mode="json", exclude_none=True), f"{run.id}: asked to end")
    return 0


def _format_status(run: wire.WorkflowSummary) -> str:
    """The status in a person's words: what the protocol calls `paused` waits for a decision."""
    # `paused` would make people look for what they have paused.
    return "blocked" if run.blocked_reason is not None else str(run.status)
