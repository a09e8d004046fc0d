"""`animus workflow …`: validate, list, get, resume, cancel.

Below lie the control client and, for `validate`, the workflow files alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output, table
from animus_core.control import methods
from animus_core.control.ask import ask

if TYPE_CHECKING:
    import argparse

    from animus_core.control import shapes

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
    found = ask(scope_of(args), methods.WORKFLOW_LIST({"status": args.status, "limit": args.limit}))
    runs, next_cursor = found["runs"], found.get("next_cursor")

    def human() -> str:
        rows = [
            [
                run["id"],
                run.get("subject_id") or "",
                run["definition"],
                _format_status(run),
                run.get("current_phase") or "",
                (_reason(run) or "").partition("\n")[0],
            ]
            for run in runs
        ]
        more = f"\nthere is more: --limit {2 * args.limit}" if next_cursor else ""
        return table(["RUN", "SUBJECT", "WORKFLOW", "STATUS", "PHASE", "REASON"], rows) + more

    output.result({"runs": runs, "next_cursor": next_cursor}, human)
    return 0


def get(args: argparse.Namespace, output: Output) -> int:
    """Print one run with its phases."""
    run = ask(scope_of(args), methods.WORKFLOW_GET({"id": args.run_id}))

    def human() -> str:
        detail = run["detail"] if isinstance(run["detail"], dict) else {}
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
        lines = [f"{run['id']}: {_format_status(run)} ({run.get('subject_id')}, workflow {run['definition']})"]
        lines += [line for line in (_reason(run), detail.get("hint")) if line]
        lines.append(table(["PHASE", "ATTEMPT", "STATUS", "VERDICT", "REASON"], phases))
        return "\n".join([*lines, f"journal: {detail.get('journal')}"])

    output.result(run, human)
    return 0


def resume(args: argparse.Namespace, output: Output) -> int:
    """Repeat the phase of a blocked run."""
    params: shapes.WorkflowResumeParams = {"id": args.run_id, "feedback": args.feedback, "force": True}
    run = ask(scope_of(args), methods.WORKFLOW_RESUME(params))
    output.result(run, f"{run['id']}: resumed")
    return 0


def cancel(args: argparse.Namespace, output: Output) -> int:
    """End a run."""
    run = ask(scope_of(args), methods.WORKFLOW_CANCEL({"id": args.run_id, "reason": args.reason}))
    output.result(run, f"{run['id']}: asked to end")
    return 0


def _reason(run: shapes.WorkflowSummary) -> str | None:
    return run.get("blocked_reason") or run.get("failure_reason")


def _format_status(run: shapes.WorkflowSummary) -> str:
    """The status in a person's words: what the protocol calls `paused` waits for a decision."""
    # `paused` would make people look for what they have paused.
    return "blocked" if run.get("blocked_reason") is not None else run["status"]
