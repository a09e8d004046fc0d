"""How `animus plugin dev` shows what it sees: a marked line each for people, or a JSON line each for programs.

Below lies the screen. Nothing that a plugin writes is obeyed by the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from rich.cells import cell_len, set_cell_size

from animus_core.services.dev.trace import NOISE, Frame, Remark, StderrLine, TraceEvent
from animus_core.terminal import escape_unprintable
from animus_protocol.models.base import utc_text

__all__ = ["Screen", "View"]

_PLAIN: Final = ""
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _MAGENTA, _CYAN = "1", "2", "31", "32", "33", "35", "36"
_ENVELOPE: Final = re.compile(r'\{"jsonrpc": ?"2\.0", ?')  # what every frame begins with
_MARKS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    (">", "call"): ("> ", _CYAN),
    (">", "notification"): (">~", _CYAN),
    (">", "noise"): (">?", _RED),
    ("<", "call"): ("< ", _GREEN),
    ("<", "refusal"): ("< ", _RED),
    (">", "refusal"): ("> ", _RED),
    ("<", "notification"): ("<~", _MAGENTA),
    ("<", "noise"): ("<?", _RED),
}
_STDERR_MARK: Final = "! "
_REMARK_MARK: Final = "# "
_ANSWER_MARK: Final = "= "
_ANSWER_LINES: Final = 24  # the rows of a classic terminal: the question stays in sight


class Screen(Protocol):
    """Where lines go."""

    @property
    def width(self) -> int | None:
        """How many columns there are; None: no limit."""
        ...

    @property
    def colored(self) -> bool:
        """Whether it shows colours."""
        ...

    def write(self, text: str) -> None:
        """Show `text` as lines of its own. Raises BrokenPipeError when the reader has left."""
        ...


class View:
    """Shows trace events. `full`: lines are not cut to the screen's width, and answers not to 24 lines."""

    def __init__(self, screen: Screen, *, json_mode: bool, full: bool) -> None:
        self._screen = screen
        self._json_mode = json_mode
        self._full = full

    def show(self, event: TraceEvent) -> None:
        """Show one. Raises as `Screen.write`."""
        if self._json_mode:
            self._screen.write(_as_json(event))
        elif isinstance(event, Frame):
            self._frame(event)
        elif isinstance(event, StderrLine):
            self._line(_STDERR_MARK, event.text, _YELLOW)
        elif event.event == "answer":
            self._answer(event)
        else:
            for line in event.text.split("\n"):
                self._line(_REMARK_MARK, line, _RED if event.failed else _BOLD, whole=True)

    def _frame(self, frame: Frame) -> None:
        mark, color = _MARKS[frame.direction, _sort_of(frame.value)]
        width = None if self._full else self._screen.width
        enough = frame.line if width is None else frame.line[: 4 * width]  # a character has four bytes at most
        self._line(mark, enough.decode(errors="replace").strip(), color)

    def _answer(self, answer: Remark) -> None:
        self._line(_ANSWER_MARK, answer.text, _RED if answer.failed else _BOLD)
        if "error" in answer.data:
            error = answer.data["error"]
            self._line("  ", f"{error['message']} ({error['code']})", _RED)
            return
        lines = json.dumps(answer.data["result"], ensure_ascii=False, indent=2).split("\n")
        visible_lines = lines if self._full else lines[:_ANSWER_LINES]
        for line in visible_lines:
            self._line("  ", line, _PLAIN)
        if len(visible_lines) < len(lines):
            self._line("  ", f"… {len(lines) - len(visible_lines)} more lines (--full)", _DIM)

    def _line(self, mark: str, text: str, color: str, *, whole: bool = False) -> None:
        # First of all: a plugin's text must not be obeyed by the terminal, and is measured as it is shown.
        text = escape_unprintable(text)
        width = self._screen.width
        if width is not None and not self._full and not whole and cell_len(mark + text) > width:
            text = _ENVELOPE.sub("{…", text)
            if cell_len(mark + text) > width:
                text = set_cell_size(text, max(0, width - len(mark) - 1)).rstrip() + "…"
        if not self._screen.colored or not color:
            self._screen.write(mark + text)
        elif (found := _ENVELOPE.match(text)) is not None:
            rest = _painted(text[found.end() :], color)
            self._screen.write(_painted(mark, color) + _painted(found[0], _DIM) + rest)
        else:
            self._screen.write(_painted(mark + text, color))


def _painted(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _sort_of(value: Any) -> str:
    if value is NOISE or not isinstance(value, dict):
        return "noise"
    if "error" in value and "method" not in value:
        return "refusal"
    return "notification" if "method" in value and "id" not in value else "call"


def _as_json(event: TraceEvent) -> str:
    at = utc_text(event.at)
    if isinstance(event, Remark):
        return _dumped({"event": event.event, "at": at, "message": event.text, **event.data})
    if isinstance(event, StderrLine):
        return _dumped({"direction": "stderr", "at": at, "text": event.text})
    head = {"direction": event.direction, "at": at}
    if event.value is NOISE:
        return _dumped({**head, "text": event.line.decode(errors="replace")})
    return f'{_dumped(head)[:-1]}, "frame": {event.line.strip().decode()}}}'  # as it was on the wire


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
