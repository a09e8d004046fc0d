"""A script as data: who it is for and which steps it takes. Checked already, nothing in it can surprise.

Nothing lies below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Case",
    "Delay",
    "Edit",
    "ErrorNote",
    "Fail",
    "GiveVerdict",
    "IgnoreCancel",
    "Metadata",
    "Once",
    "Run",
    "Say",
    "Script",
    "Step",
    "Think",
    "Tool",
    "Usage",
    "WaitFor",
    "When",
]


@dataclass(frozen=True)
class Say:
    """Text to stream: in pieces of `chunk` characters (None: one piece), `every_s` seconds apart."""

    at: str
    text: str
    chunk: int | None = None
    every_s: float = 0.0


@dataclass(frozen=True)
class Think:
    """A thought to stream."""

    at: str
    text: str


@dataclass(frozen=True)
class Tool:
    """A tool call and its result; nothing is really called."""

    at: str
    name: str
    arguments: Any
    result: Any
    success: bool = True
    server: str | None = None


@dataclass(frozen=True)
class Edit:
    """A change of a file below the working directory; exactly one of the four ways is set."""

    at: str
    path: str
    replace: tuple[str, str] | None = None
    content: str | None = None
    append: str | None = None
    delete: bool = False


@dataclass(frozen=True)
class Run:
    """A program to run, at most `timeout_s` seconds."""

    at: str
    command: tuple[str, ...]
    timeout_s: float = 60.0


@dataclass(frozen=True)
class Delay:
    """A pause of `delay_s` seconds."""

    at: str
    delay_s: float


@dataclass(frozen=True)
class WaitFor:
    """A wait until `file` exists, at most `timeout_s` seconds."""

    at: str
    file: str
    timeout_s: float = 30.0


@dataclass(frozen=True)
class GiveVerdict:
    """The result's `decision_verdict`."""

    at: str
    value: Any


@dataclass(frozen=True)
class Usage:
    """Tokens to add to the result's `tokens_used`."""

    at: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Metadata:
    """One more entry of the result's `metadata`."""

    at: str
    value: Any


@dataclass(frozen=True)
class ErrorNote:
    """An error that is told; the run goes on."""

    at: str
    message: str
    recoverable: bool = True


@dataclass(frozen=True)
class Fail:
    """A failure: `how` is error, exit, kill, hang, garbage or exit_code; `number` is its code or status."""

    at: str
    how: str
    number: int = 0
    message: str = ""
    data: Any = None


@dataclass(frozen=True)
class IgnoreCancel:
    """From here on a cancellation does not stop the steps."""

    at: str


@dataclass(frozen=True)
class Once:
    """Steps that a session takes at most once, whatever happens to its process meanwhile."""

    at: str
    steps: tuple[Step, ...]


Step = (
    Say
    | Think
    | Tool
    | Edit
    | Run
    | Delay
    | WaitFor
    | GiveVerdict
    | Usage
    | Metadata
    | ErrorNote
    | Fail
    | IgnoreCancel
    | Once
)


@dataclass(frozen=True)
class When:
    """What a run must be like; None means any. `attempt` is an operator and a number."""

    subject: tuple[str, ...] | None = None
    phase: tuple[str, ...] | None = None
    model: tuple[str, ...] | None = None
    attempt: tuple[str, int] | None = None
    prompt: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Case:
    """One entry of `scripts`; `number` is its place in the file. `resume` is None without the key."""

    at: str
    number: int
    when: When
    steps: tuple[Step, ...]
    resume: tuple[Step, ...] | None = None


@dataclass(frozen=True)
class Script:
    """All entries in the order of the file. `path` is for messages."""

    path: str
    cases: tuple[Case, ...] = field(default=())
