"""What a person sees of running work: a table of runs fed by the daemon's events.

Below lies rich, which draws. `RunsView` is a pure fold of events, `render` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["RunRow", "RunsView", "describe", "render"]

_TEXT_CHARS: Final = 400  # the last words: agents write without an end
_STYLES: Final = {
    "queued": "dim",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "blocked": "yellow",
    "cancelled": "dim",
}
_ENDS: Final = {
    "workflow_completed": "completed",
    "workflow_failed": "failed",
    "workflow_blocked": "blocked",
    "workflow_cancelled": "cancelled",
}


@dataclass
class RunRow:
    """One subject's run as far as the events tell; `text` is what an agent said last, maybe in an earlier phase."""

    subject_id: str
    run_id: str = ""
    status: str = "queued"
    phase: str = ""
    attempt: int = 0
    text: str = ""
    _stale: bool = False
    verdicts: list[str] = field(default_factory=list)
    attempts: int = 0
    reworks: int = 0
    began_at: str = ""
    ended_at: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row as JSON for programs."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def take(self, kind: str, at: str, payload: dict[str, Any]) -> None:
        """Fold one daemon event of this subject."""
        self.run_id = payload.get("workflow_id") or self.run_id
        match kind:
            case "workflow_started":
                self.status, self.began_at = "running", at
            case "phase_started":
                self.status, self.phase, self.attempt = "running", payload["phase"], payload["attempt"]
                self.attempts, self._stale = self.attempts + 1, True
            case "agent_record":
                self._take_record(payload)
            case "phase_decision":
                self.verdicts.append(f"{payload['phase']}: {payload['verdict']}")
                self.reworks += payload["verdict"] == "rework"
            case "phase_outcome" if payload.get("result") != "finished":
                self.text = str(payload.get("text", ""))
            case _ if kind in _ENDS:
                self.status, self.ended_at = _ENDS[kind], at
                self.text = str(payload.get("reason") or "") or self.text

    def _take_record(self, payload: dict[str, Any]) -> None:
        data = payload.get("data") or {}
        if self._stale:
            # At the first word and not at the phase's start: until then the last words are better than none.
            self.text, self._stale = "", False
        if payload.get("kind") == "output":
            self.text = (self.text + str(data.get("text", "")))[-_TEXT_CHARS:]
        elif payload.get("kind") == "toolCall":
            self.text += f" [{data.get('name')}] "


class RunsView:
    """Rows by subject, in the order in which they appeared. `take` folds one event in; repeats are the caller's."""

    def __init__(self) -> None:
        self.rows: dict[str, RunRow] = {}

    def take(self, kind: str, at: str, payload: dict[str, Any]) -> RunRow | None:
        """Fold one daemon event; the row that changed."""
        subject = payload.get("subject_id")
        if not isinstance(subject, str):
            return None
        row = self.rows.setdefault(subject, RunRow(subject))
        row.take(kind, at, payload)
        return row


def describe(row: RunRow, kind: str) -> str | None:
    """The one line that a log without a terminal gets for an event; None for those that are too small."""
    match kind:
        case "phase_started":
            again = f" (attempt {row.attempt})" if row.attempt > 1 else ""
            return f"{row.subject_id}  {row.phase}{again}"
        case "phase_decision":
            return f"{row.subject_id}  {row.verdicts[-1]}"
        case "runner_crashed":
            return f"{row.subject_id}  its runner died; another one goes on"
        case _ if kind in _ENDS:
            why = "" if row.status == "completed" else row.text.partition("\n")[0]
            return f"{row.subject_id}  {row.status}" + (f": {why}" if why else "")
    return None


def render(rows: Iterable[RunRow]) -> RenderableType:
    """The table of all rows."""
    table = Table(box=None, pad_edge=False, expand=True)
    for name, ratio in (("subject", None), ("status", None), ("phase", None), ("attempt", None), ("", 1)):
        table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for row in rows:
        style = _STYLES.get(row.status, "")
        words = " ".join(row.text.split())[-160:]
        table.add_row(
            row.subject_id, Text(row.status, style=style), row.phase, str(row.attempt or ""), Text(words, style="dim")
        )
    return Group(table)
