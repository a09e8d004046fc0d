"""Finds and reads the script of a project: YAML in, a checked `Script` out.

It is read at each run, so that an edit takes effect at once; below it lie `nodes.py` and `step_reader.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from animus_provider_mock.model import Case, GiveVerdict, Say, Script, When
from animus_provider_mock.nodes import Field, compose
from animus_provider_mock.step_reader import read_steps
from animus_sdk import InvalidParams

__all__ = ["DEFAULT_PATH", "SCRIPT_VARIABLE", "load_script", "parse_script"]

SCRIPT_VARIABLE: Final = "ANIMUS_MOCK_SCRIPT"
DEFAULT_PATH: Final = Path(".animus/mock.yaml")
_ATTEMPT: Final = re.compile(r"(>=|<=|>|<)?\s*(\d{1,9})", re.ASCII)
_BUILT_IN: Final = "(built-in script)"
_DEFAULT: Final = Script(
    _BUILT_IN,
    (
        Case(
            _BUILT_IN,
            0,
            When(),
            (
                Say(_BUILT_IN, "Nothing is scripted, so there is nothing to do."),
                GiveVerdict(_BUILT_IN, {"verdict": "advance", "reason": "no script"}),
            ),
        ),
    ),
)


def load_script(project_root: Path, named: str | None) -> Script:
    """The script to follow: the file that `named` (absolute, or relative to the project) names, else
    `.animus/mock.yaml`, else a built-in one that says a line and advances.

    Raises ScriptError (file:line, what, remedy) and InvalidParams when a named or existing file cannot be read.
    """
    path = project_root / (named or DEFAULT_PATH)
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not named:
            return _DEFAULT
        raise InvalidParams(
            f"{path}: no such file — {SCRIPT_VARIABLE} names it: write the file, or unset the variable"
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidParams(f"{path}: not UTF-8 at byte {error.start} — save the file as UTF-8 text") from None
    except OSError as error:
        raise InvalidParams(f"{path}: cannot be read: {error.strerror} — make it a readable file") from None
    return parse_script(str(path), source)


def parse_script(path: str, source: str) -> Script:
    """The script in `source`; `path` is what messages call the file. Raises ScriptError."""
    scripts = compose(path, source).fields(["scripts"], required=["scripts"])["scripts"]
    return Script(path, tuple(_read_case(item, number) for number, item in enumerate(scripts.items())))


def _read_case(item: Field, number: int) -> Case:
    found = item.fields(["when", "steps", "resume"], required=["steps"])
    return Case(
        item.at,
        number,
        _read_when(found["when"]) if "when" in found else When(),
        read_steps(found["steps"]),
        read_steps(found["resume"]) if "resume" in found else None,
    )


def _read_when(field: Field) -> When:
    found = field.fields(["subject", "phase", "attempt", "model", "prompt"])
    return When(
        subject=found["subject"].texts() if "subject" in found else None,
        phase=found["phase"].texts() if "phase" in found else None,
        model=found["model"].texts() if "model" in found else None,
        attempt=_read_attempt(found["attempt"]) if "attempt" in found else None,
        prompt=_read_pattern(found["prompt"]) if "prompt" in found else None,
    )


def _read_attempt(field: Field) -> tuple[str, int]:
    if field.kind == "number":
        return ("=", field.whole(0))
    found = _ATTEMPT.fullmatch(field.text().strip())
    if found is None:
        raise field.problem(f'attempt is "{field.text()}"', 'write a number, or one such as ">1", ">=2", "<3"')
    return (found[1] or "=", int(found[2]))


def _read_pattern(field: Field) -> re.Pattern[str]:
    try:
        return re.compile(field.text())
    except re.error as error:
        raise field.problem(f"prompt is not a regular expression: {error}", "fix the pattern") from None
