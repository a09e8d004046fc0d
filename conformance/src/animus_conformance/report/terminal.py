"""A run as it goes, and its end, for somebody who looks at a terminal.

Nothing lies below but the outcomes. On a terminal the check that runs stands in a line that is written over; elsewhere
there are plain lines only.
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import Final, TextIO

from animus_conformance.judgement import Report, deciding
from animus_conformance.report.text import printable
from animus_conformance.requirements.manifest import Requirement
from animus_conformance.verdict import CheckOutcome, CheckVerdict

__all__ = ["Terminal"]

_MARKS: Final = {
    CheckVerdict.PASS: "pass",
    CheckVerdict.FAIL: "FAIL",
    CheckVerdict.EXPECTED_FAILURE: "expected",
    CheckVerdict.NOT_ADVERTISED: "n/a",
    CheckVerdict.UNPROVEN: "UNPROVEN",
}
_COLOURS: Final = {
    CheckVerdict.PASS: "32",
    CheckVerdict.FAIL: "31",
    CheckVerdict.UNPROVEN: "33",
    CheckVerdict.EXPECTED_FAILURE: "36",
}
_ADVICE_COLOUR: Final = "33"
_CLEAR_LINE: Final = "\r\x1b[K"
_MAX_EVIDENCE_LINES: Final = 40
"""One screen; the whole of it is in the reports."""


class Terminal:
    """One line a check; the evidence of a failure right behind it. `quiet` leaves out what needs no attention."""

    def __init__(self, out: TextIO, *, quiet: bool = False, strict: bool = False) -> None:
        self._out = out
        self._quiet = quiet
        self._deciding = deciding(strict)
        self._is_terminal = out.isatty()
        self._done = 0
        self._count = 0

    def begin(self, who: str, how: str, count: int) -> None:
        """What is judged, and how, by so many checks."""
        self._count = count
        if not self._quiet:
            checks = "1 check" if count == 1 else f"{count} checks"
            self._say(printable(f"{who}, {checks}, {how}"))

    def running(self, requirement: Requirement) -> None:
        """A check begins."""
        if self._is_terminal:
            line = f"{self._place(self._done + 1)} {requirement.level} …        {requirement.id}"
            self._out.write(_CLEAR_LINE + line[: shutil.get_terminal_size().columns - 1])
            self._out.flush()

    def outcome(self, outcome: CheckOutcome) -> None:
        """One check has ended."""
        self._done += 1
        if self._quiet and outcome.verdict in (CheckVerdict.PASS, CheckVerdict.NOT_ADVERTISED):
            return
        troubled = outcome.verdict in (CheckVerdict.FAIL, CheckVerdict.UNPROVEN)
        is_advice = troubled and outcome.strength not in self._deciding
        colour = _ADVICE_COLOUR if is_advice else _COLOURS.get(outcome.verdict)
        mark = self._painted(f"{_MARKS[outcome.verdict]:8}", colour)
        name = f"{outcome.id}  (advice)" if is_advice else outcome.id
        self._say(f"{self._place(self._done)} {outcome.level} {mark} {name}  {outcome.seconds:.2f} s")
        # Also what is not advertised gives its reason: it is the proof that it was refused.
        if outcome.verdict is not CheckVerdict.PASS:
            self._quote(outcome.reason)
        if troubled:
            self._quote(_last_lines(outcome.evidence), "| ")
            self._quote(f"again: {outcome.reproduction}")

    def end(self, report: Report) -> None:
        """What it comes to."""
        counts = Counter(_MARKS[outcome.verdict] for outcome in report.outcomes)
        self._say(", ".join(f"{count} {mark}" for mark, count in counts.items()) + f"  (seed {report.seed})")
        self._say(
            "  ".join(
                f"{level}: {self._painted(verdict, _COLOURS.get(verdict))}" for level, verdict in report.levels.items()
            )
        )
        self._say(self._result(report))

    def clear(self) -> None:
        """Take the line of the check that runs away."""
        if self._is_terminal:
            self._out.write(_CLEAR_LINE)
            self._out.flush()

    def _result(self, report: Report) -> str:
        if not report.complete:
            return "only some checks: this says nothing about a level"
        reached = "reached no level" if report.highest is None else f"reached {report.highest}"
        return printable(f"{reached}: {report.restriction}" if report.restriction else reached)

    def _quote(self, text: str, before: str = "") -> None:
        for line in printable(text).split("\n") if text else ():
            self._say(f"      {before}{line}")

    def _place(self, number: int) -> str:
        return f"{number:>{len(str(self._count))}}/{self._count}"

    def _painted(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._is_terminal and colour else text

    def _say(self, line: str) -> None:
        self._out.write((_CLEAR_LINE if self._is_terminal else "") + line + "\n")
        self._out.flush()


def _last_lines(evidence: str) -> str:
    lines = evidence.split("\n")
    restriction = len(lines) - _MAX_EVIDENCE_LINES
    if restriction <= 0:
        return evidence
    return "\n".join([f"({restriction} lines before these are in the reports)", *lines[restriction:]])
