"""What comes from a plugin, as values: replies and notifications, and how far a conversation is (protocol §1, §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["BEGINNING", "REFUSALS", "Moment", "Notification", "Reply"]

REFUSALS: Final = (-32601, -32001)
"""What a method that is not offered is refused with (protocol §3)."""


class Reply(NamedTuple):
    """The answer to one request: `error` is None for a result.

    `notifications_before` notifications had come before it: what is owed before a reply is looked for among these.
    """

    result: Any
    error: Mapping[str, Any] | None
    notifications_before: int = 0

    @property
    def code(self) -> int | None:
        """The error's code, or None for a result."""
        return None if self.error is None else self.error.get("code")

    @property
    def category(self) -> str | None:
        """`error.data.category`, where there is one."""
        data = None if self.error is None else self.error.get("data")
        return data.get("category") if isinstance(data, Mapping) else None

    def __str__(self) -> str:
        shown = json.dumps(self.result if self.error is None else self.error, ensure_ascii=False)
        return f"{'result' if self.error is None else 'error'} {shown:.300}"


class Notification(NamedTuple):
    """A notification of the plugin."""

    method: str
    params: Any


class Moment(NamedTuple):
    """How far a conversation has come: lines of its transcript, bytes of the plugin's stderr."""

    lines: int
    stderr_bytes: int


BEGINNING: Final = Moment(0, 0)
