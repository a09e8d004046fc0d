"""Mistakes in workflow files: where they are, what is wrong, what to do; and the one error that carries them all.

Every module of this package makes `Issue`s; `load` raises them together as `InvalidWorkflow`. Below lies
`animus_core.errors` alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from animus_core.errors import InvalidInput
from animus_core.terminal import escape_unprintable

__all__ = [
    "MAX_ISSUES",
    "InvalidWorkflow",
    "Issue",
    "Mistake",
    "Severity",
    "SourceLocation",
    "closest",
    "did_you_mean",
    "printable",
    "shown",
]

MAX_SHOWN_ISSUES: Final = 100
"""A message lists no more mistakes than this; `InvalidWorkflow.issues` has all that were found."""

MAX_ISSUES: Final = 1000
"""The search ends after this many mistakes: a hostile file must not cost minutes."""

# difflib compares letter by letter: names are a file's own, and both their number and their length are bounded.
MAX_CANDIDATES: Final = 200
MAX_SHOWN_CHARS: Final = 60


class SourceLocation(NamedTuple):
    """A position in a file: `file` relative to the project root, `line` and `column` from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Severity(StrEnum):
    """An error refuses the files; a warning is shown and no more."""

    ERROR = "error"
    WARNING = "warning"


class Issue(BaseModel):
    """One mistake: `message` says what is wrong, `hint` what to do next."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    file: str
    line: int
    column: int
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    @classmethod
    def at(cls, place: SourceLocation, message: str, hint: str, *, severity: Severity = Severity.ERROR) -> Issue:
        """The issue at `place`."""
        return cls(
            file=place.file,
            line=place.line,
            column=place.column,
            message=message,
            hint=hint,
            severity=severity,
        )

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        """Reading order: file, line, column."""
        return (self.file, self.line, self.column, self.message)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} — {self.hint}"


class InvalidWorkflow(InvalidInput):
    """The workflow files are wrong: `message` has a line for each mistake, `details` the same as JSON.

    `issues` are the mistakes as objects, in reading order, without the warnings.
    """

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues: tuple[Issue, ...] = tuple(sorted(issues, key=lambda issue: issue.sort_key))
        # The message is for people and is cut; `details` has them all for programs.
        lines = [str(issue) for issue in self.issues[:MAX_SHOWN_ISSUES]]
        if len(self.issues) > MAX_SHOWN_ISSUES:
            lines.append(f"… and {len(self.issues) - MAX_SHOWN_ISSUES} more mistakes")
        super().__init__("\n".join(lines), details=[issue.model_dump(mode="json") for issue in self.issues])


class Mistake(InvalidInput):
    """A file cannot be read any further; `issue` says why. Never leaves this package."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(str(issue))
        self.issue = issue


def printable(text: str, limit: int = 200) -> str:
    """`text` as a terminal may show it: one line, no control characters, at most `limit` characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return escape_unprintable(text)


def shown(value: object) -> str:
    """What a file says, between backticks, as a message may show it: printable, at most 60 characters."""
    return f"`{printable(str(value), MAX_SHOWN_CHARS)}`"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely means, ignoring case; None when nothing is near."""
    by_folded = {candidate.lower(): candidate for candidate in islice(known, MAX_CANDIDATES)}
    matches = difflib.get_close_matches(name[:MAX_SHOWN_CHARS].lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Sequence[str], otherwise: str) -> str:
    """The hint for a name that is not known: the nearest one, else `otherwise`."""
    near = closest(name, known)
    return otherwise if near is None else f"did you mean {shown(near)}?"
