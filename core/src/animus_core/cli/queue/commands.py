"""`animus queue …`: enqueue, list, stats, hold, release, drop.

Below lies the control client.
"""

from __future__ import annotations

import argparse
from typing import Any

from animus_core.cli.connection import scope_of, with_control
from animus_core.cli.output import Output, table
from animus_core.control.client import Control
from animus_core.errors import InvalidInput
from animus_protocol.models.base import Empty, Method
from animus_protocol.models.control import queue as wire
from animus_protocol.models.priority import PriorityName

__all__ = ["drop", "enqueue", "hold", "list_entries", "release", "stats"]


def enqueue(args: argparse.Namespace, output: Output) -> int:
    """Accept work on each named subject; the first that is refused ends the command."""
    variables = dict(_variable(text) for text in args.var)
    # Made before the first call: a mistake in a later word accepts nothing.
    requests = [
        wire.QueueEnqueueParams(
            task_id=subject,
            kind=args.kind,
            workflow_ref=args.workflow,
            priority=_priority(args.priority),
            vars=variables,
        )
        for subject in args.subject
    ]

    async def work(control: Control) -> list[wire.ControlQueueEntry]:
        return [await control.call(wire.QUEUE_ENQUEUE, params) for params in requests]

    entries = with_control(scope_of(args), work)
    output.result(
        {"entries": [_to_json(entry) for entry in entries]},
        lambda: "\n".join([*map(_format_enqueued, entries), *_format_notes(entries)]),
    )
    return 0


def list_entries(args: argparse.Namespace, output: Output) -> int:
    """Print what is in the queue."""
    params = wire.QueueListParams(status=args.status, limit=args.limit)
    found = with_control(scope_of(args), lambda control: control.call(wire.QUEUE_LIST, params))
    rows = [
        [entry.id, entry.subject_id, entry.status, str(entry.priority), entry.workflow_ref or "", _format_note(entry)]
        for entry in found.entries
    ]
    data = {"entries": [_to_json(entry) for entry in found.entries], "next_cursor": found.next_cursor}
    head = ["ENTRY", "SUBJECT", "STATUS", "PRIORITY", "WORKFLOW", "NOTE"]
    more = f"\nthere is more: --limit {2 * args.limit}" if found.next_cursor else ""
    output.result(data, lambda: table(head, rows) + more)
    return 0


def stats(args: argparse.Namespace, output: Output) -> int:
    """Print how many entries are in which status."""
    found = with_control(scope_of(args), lambda control: control.call(wire.QUEUE_STATS, Empty()))
    data = found.model_dump(mode="json")
    output.result(data, lambda: "\n".join(f"{name}: {number}" for name, number in data.items()))
    return 0


def hold(args: argparse.Namespace, output: Output) -> int:
    """Keep entries from starting."""
    params = [wire.QueueHoldParams(id=entry, reason=args.reason) for entry in args.entry]
    return _change(args, output, wire.QUEUE_HOLD, params)


def release(args: argparse.Namespace, output: Output) -> int:
    """Let held entries start."""
    return _change(args, output, wire.QUEUE_RELEASE, [wire.QueueIdParams(id=entry) for entry in args.entry])


def drop(args: argparse.Namespace, output: Output) -> int:
    """Remove waiting entries."""
    return _change(args, output, wire.QUEUE_DROP, [wire.QueueIdParams(id=entry) for entry in args.entry])


def _change(
    args: argparse.Namespace, output: Output, method: Method[Any, wire.ControlQueueEntry], requests: list[Any]
) -> int:
    async def work(control: Control) -> list[wire.ControlQueueEntry]:
        return [await control.call(method, params) for params in requests]

    entries = with_control(scope_of(args), work)
    output.result(
        {"entries": [_to_json(entry) for entry in entries]},
        lambda: "\n".join(f"{entry.subject_id}: {entry.status} ({entry.id})" for entry in entries),
    )
    return 0


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"--var {text!r} is not NAME=VALUE")
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


def _format_enqueued(entry: wire.ControlQueueEntry) -> str:
    return f"{entry.subject_id}: {entry.status} as {entry.id} ({entry.workflow_ref})"


def _format_notes(entries: list[wire.ControlQueueEntry]) -> list[str]:
    """Why what is ready does not start, each reason once."""
    ready = (entry.hold_reason for entry in entries if entry.status is wire.QueueEntryStatus.READY)
    return list(dict.fromkeys(f"note: {reason}" for reason in ready if reason))


def _format_note(entry: wire.ControlQueueEntry) -> str:
    return entry.hold_reason.splitlines()[0] if entry.hold_reason else entry.run_id or ""


def _to_json(entry: wire.ControlQueueEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", exclude_none=True)
