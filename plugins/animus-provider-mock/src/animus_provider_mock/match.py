"""Which script is for a run, and what is known about that run.

Below it lies `model.py`. Pure: no I/O, no clock.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from animus_provider_mock.model import Case, Script, When

__all__ = ["Facts", "choose", "facts_of", "fill"]

_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Facts:
    """What the provider knows about a run; None where the request does not say."""

    prompt: str
    model: str
    subject: str | None = None
    phase: str | None = None
    attempt: int | None = None

    def shown(self) -> str:
        """`subject=TASK-1 phase=implement …`, for messages."""
        known = {"subject": self.subject, "phase": self.phase, "attempt": self.attempt, "model": self.model}
        return " ".join(f"{key}={value}" for key, value in known.items() if value is not None)


def facts_of(prompt: str, model: str, contract: object) -> Facts:
    """The facts of a request; `contract` is its `runtime_contract`, of any shape: what does not fit is not known."""
    fields = contract if isinstance(contract, dict) else {}
    attempt = fields.get("attempt")
    return Facts(
        prompt=prompt,
        model=model,
        subject=_text(fields.get("subject_id")),
        phase=_text(fields.get("phase_id")),
        # JSON's true is an int to Python only.
        attempt=attempt if isinstance(attempt, int) and not isinstance(attempt, bool) else None,
    )


def choose(script: Script, facts: Facts) -> Case | None:
    """The first entry that fits; None when none does."""
    return next((case for case in script.cases if _fits(case.when, facts)), None)


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """`value` with `{{name}}` replaced in every text of it; a name that `values` lacks stays as it is."""
    if isinstance(value, str):
        return re.sub(r"\{\{(\w+)\}\}", lambda found: values.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return value


def _fits(when: When, facts: Facts) -> bool:
    return (
        _any_glob(when.subject, facts.subject)
        and _any_glob(when.phase, facts.phase)
        and _any_glob(when.model, facts.model)
        and (when.attempt is None or _compared(when.attempt, facts.attempt))
        and (when.prompt is None or when.prompt.search(facts.prompt) is not None)
    )


def _any_glob(globs: tuple[str, ...] | None, value: str | None) -> bool:
    if globs is None:
        return True
    return value is not None and any(fnmatchcase(value, glob) for glob in globs)


def _compared(wanted: tuple[str, int], attempt: int | None) -> bool:
    sign, number = wanted
    return attempt is not None and _COMPARE[sign](attempt, number)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
