"""What every message of a plugin owes, watched on every connection of a run, whatever is being checked there.

It is shown each frame and the id of each check; what it has found is judged by checks of its own at the end of a level.
Nothing lies below but the protocol's envelope (protocol §1, §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["Observed", "Violation", "Violations", "envelope_violations"]

_MAX_KEPT: Final = 5
"""A reason names them all in one sentence; a plugin that does something wrong does it in every line."""


class Violation(NamedTuple):
    """What was wrong, in a sentence, and the id of the check that ran when it came; empty for none."""

    sentence: str
    during: str

    def __str__(self) -> str:
        return f"{self.sentence} (during {self.during})" if self.during else self.sentence


class Violations:
    """The first few violations of each requirement, each with the check that ran when it was seen."""

    def __init__(self) -> None:
        self._during = ""
        self._found: dict[str, list[Violation]] = {}

    def begin(self, check_id: str) -> None:
        """A check begins: what is seen from now on is seen during it."""
        self._during = check_id

    def add(self, requirement_id: str, sentence: str) -> None:
        """One more; beyond a few they are not kept."""
        kept = self._found.setdefault(requirement_id, [])
        if len(kept) < _MAX_KEPT:
            kept.append(Violation(sentence, self._during))

    def of(self, requirement_id: str) -> list[Violation]:
        """What was found against this requirement."""
        return self._found.get(requirement_id, [])


class Observed:
    """What was seen on all connections of a run: violations, and methods whose results were of another type."""

    def __init__(self) -> None:
        self.violations = Violations()
        self._mistyped: set[str] = set()

    def note_mistyped(self, method: str) -> None:
        """A result of `method` was of another type: the check of its type has said so, and no other need repeat it."""
        self._mistyped.add(method)

    def is_mistyped(self, method: str) -> bool:
        """Whether a result of `method` was of another type."""
        return method in self._mistyped


def envelope_violations(message: Mapping[str, Any], text: str) -> list[tuple[str, str]]:
    """What is wrong with a message's envelope: pairs of requirement id and sentence."""
    found = []
    if message.get("jsonrpc") != "2.0":
        found.append(("wire.says-jsonrpc-2.0", f'"jsonrpc" is {message.get("jsonrpc")!r}: {text:.200}'))
    if "method" in message:
        if not isinstance(message["method"], str):
            found.append(("wire.result-or-error", f"a method that is not a text: {text:.200}"))
        return found
    error = message.get("error")
    # Some libraries write `"result": null` beside an error, and every host reads that as the error.
    has_result = "result" in message and not (message["result"] is None and error is not None)
    if has_result == (error is not None) or "id" not in message:
        found.append(("wire.result-or-error", f"a reply needs an id, and either result or error: {text:.200}"))
    if error is not None and not _is_error_object(error):
        found.append(
            ("wire.errors-have-code-and-message", f"an error without integer code and text message: {text:.200}")
        )
    return found


def _is_error_object(error: Any) -> bool:
    if not isinstance(error, Mapping):
        return False
    code = error.get("code")
    return isinstance(code, int) and not isinstance(code, bool) and isinstance(error.get("message"), str)
