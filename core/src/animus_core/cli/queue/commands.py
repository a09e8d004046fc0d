"""`animus queue …`: enqueue, list, stats, hold, release, drop.

Below lies the control client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output, table
from animus_core.control import methods
from animus_core.control.ask import ask, ask_each
from animus_core.errors import InvalidInput
from animus_protocol.models.priority import PriorityName

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from animus_core.control import shapes
    from animus_core.control.methods import Question

__all__ = ["drop", "enqueue", "hold", "list_entries", "release", "stats"]


def enqueue(args: argparse.Namespace, output: Output) -> int:
    """Accept work on each named subject; the first that is refused ends the command."""
    variables = dict(_variable(text) for text in args.var)
    priority = _priority(args.priority)
    # All alike but for the subject, so that what is wrong is refused with the first of them.
    questions = [
        methods.QUEUE_ENQUEUE(
            {
                "task_id": subject,
                "kind": args.kind,
                "workflow_ref": args.workflow,
                "priority": priority,
                "vars": variables,
            }
        )
        for subject in args.subject
    ]
    entries = ask_each(scope_of(args), questions)
    output.result(
        {"entries": entries},
        lambda: "\n".join([*map(_format_enqueued, entries), *_format_notes(entries)]),
    )
    return 0


def list_entries(args: argparse.Namespace, output: Output) -> int:
    """Print what is in the queue."""
    found = ask(scope_of(args), methods.QUEUE_LIST({"status": args.status, "limit": args.limit}))
    entries, next_cursor = found["entries"], found.get("next_cursor")

    def human() -> str:
        rows = [
            [
                entry["id"],
                entry["subject_id"],
                entry["status"],
                str(entry["priority"]),
                entry.get("workflow_ref") or "",
                _format_note(entry),
            ]
            for entry in entries
        ]
        more = f"\nthere is more: --limit {2 * args.limit}" if next_cursor else ""
        return table(["ENTRY", "SUBJECT", "STATUS", "PRIORITY", "WORKFLOW", "NOTE"], rows) + more

    output.result({"entries": entries, "next_cursor": next_cursor}, human)
    return 0


def stats(args: argparse.Namespace, output: Output) -> int:
    """Print how many entries are in which status."""
    found = ask(scope_of(args), methods.QUEUE_STATS({}))
    output.result(found, lambda: "\n".join(f"{name}: {number}" for name, number in found.items()))
    return 0


def hold(args: argparse.Namespace, output: Output) -> int:
    """Keep entries from starting."""
    return _change(args, output, [methods.QUEUE_HOLD({"id": entry, "reason": args.reason}) for entry in args.entry])


def release(args: argparse.Namespace, output: Output) -> int:
    """Let held entries start."""
    return _change(args, output, [methods.QUEUE_RELEASE({"id": entry}) for entry in args.entry])


def drop(args: argparse.Namespace, output: Output) -> int:
    """Remove waiting entries."""
    return _change(args, output, [methods.QUEUE_DROP({"id": entry}) for entry in args.entry])


def _change(args: argparse.Namespace, output: Output, questions: Sequence[Question[shapes.QueueEntry]]) -> int:
    entries = ask_each(scope_of(args), questions)
    output.result(
        {"entries": entries},
        lambda: "\n".join(f"{entry['subject_id']}: {entry['status']} ({entry['id']})" for entry in entries),
    )
    return 0


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"--var {text!r} is not NAME=VALUE")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the variable `{name}` is not valid Unicode text", hint="give it as UTF-8") from error
    return name, value


def _priority(text: str | None) -> PriorityName | int | None:
    if text is None:
        return None
    if text.isdecimal():
        return int(text)
    try:
        return PriorityName.read(text)
    except ValueError as error:
        raise InvalidInput(f"--{error}") from error


def _format_enqueued(entry: shapes.QueueEntry) -> str:
    return f"{entry['subject_id']}: {entry['status']} as {entry['id']} ({entry.get('workflow_ref')})"


def _format_notes(entries: Sequence[shapes.QueueEntry]) -> list[str]:
    """Why what is ready does not start, each reason once."""
    ready = (entry.get("hold_reason") for entry in entries if entry["status"] == "ready")
    return list(dict.fromkeys(f"note: {reason}" for reason in ready if reason))


def _format_note(entry: shapes.QueueEntry) -> str:
    reason = entry.get("hold_reason")
    return reason.splitlines()[0] if reason else entry.get("run_id") or ""
