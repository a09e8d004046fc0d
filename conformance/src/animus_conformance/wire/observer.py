"""What every message of a plugin owes, watched on every connection of a run, whatever is being checked there.

Told of each frame by `host.py` and of each check by `run.py`; the checks of `checks/wire.py` read what was found. Below
it lies nothing but the protocol's envelope (protocol §1, §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

__all__ = ["Observed", "Violation", "Violations", "envelope_violations"]

_MAX_KEPT: Final = 5


class Violation(NamedTuple):
    """What was wrong, in a sentence, and the id of the check that ran when it came; empty for none."""

    sentence: str
    during: str

    def __str__(self) -> str:
        return f"{self.sentence} (during {self.during})" if self.during else self.sentence


class Violations:
    """The first few violations of each requirement. `during` is the check that runs."""

    def __init__(self) -> None:
        self.during = ""
        self._found: dict[str, list[Violation]] = {}

    def add(self, requirement_id: str, sentence: str) -> None:
        """One more; beyond a few they are not kept."""
        kept = self._found.setdefault(requirement_id, [])
        if len(kept) < _MAX_KEPT:
            kept.append(Violation(sentence, self.during))

    def of(self, requirement_id: str) -> list[Violation]:
        """What was found against this requirement."""
        return self._found.get(requirement_id, [])


@dataclass
class Observed:
    """What was seen on all connections of a run; `mistyped` are methods whose results were of another type."""

    violations: Violations = field(default_factory=Violations)
    mistyped: set[str] = field(default_factory=set)


def envelope_violations(message: Mapping[str, Any], text: str) -> list[tuple[str, str]]:
    """What is wrong with a message's envelope: pairs of requirement id and sentence."""
    found = []
    if message.get("jsonrpc") != "2.0":
        found.append(("wire.says-jsonrpc-2.0", f'"jsonrpc" is {message.get("jsonrpc")!r}: {text:.200}'))
    if "method" in message:
        if not isinstance(message["method"], str):
            found.append(("wire.result-or-error", f"a method that is no text: {text:.200}"))
        return found
    error = message.get("error")
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
