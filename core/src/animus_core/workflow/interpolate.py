"""`${VAR}` in the raw text of a workflow file, replaced before the YAML is parsed (comments included).

`${VAR}` must be set; `${VAR:-default}` takes the default when it is unset or empty; `${VAR:?message}` refuses with that
message when it is unset or empty; `$$` is one `$`; any other `$` stays. Below lies `issues`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from animus_core.workflow.issues import Issue, Mistake, Severity, SourceLocation, printable, shown

__all__ = ["interpolate"]

# One pattern for all, tried from the left: `$$` is taken first, so `$${NAME}` comes to a plain `${NAME}`.
TOKEN: Final = re.compile(r"\$(?:\$|\{(?P<body>[^}\n]*)(?P<end>\}?))")
BODY: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<how>[-?])(?P<text>.*))?", re.DOTALL)
# A line break in a value could add keys to the file; NUL and half a surrogate pair cannot be stored.
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
MAX_ADDED_CHARS: Final = 1 << 20  # as much as a whole file may have
SECRET_NAME: Final = re.compile(r"TOKEN|KEY|SECRET|PASSWORD", re.IGNORECASE)


def interpolate(text: str, lookup: Mapping[str, str], file: str) -> tuple[str, list[Issue]]:
    """`text` with its variables replaced from `lookup`, and what is wrong or doubtful about them.

    A variable that cannot be replaced becomes empty, so that the rest of the file can still be checked. Raises Mistake
    when the values are too long together: a small file that repeats one variable must not fill the memory.
    """
    issues: list[Issue] = []
    added = 0
    # Once for the file: counting the lines before each variable would take quadratic time.
    starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def replace(match: re.Match[str]) -> str:
        nonlocal added
        if match["body"] is None:
            return "$"
        row = bisect_right(starts, match.start())
        place = SourceLocation(file, row, match.start() - starts[row - 1] + 1)
        value, issue = _value(match["body"], bool(match["end"]), lookup, place)
        if issue is not None:
            issues.append(issue)
        added += len(value)
        if added > MAX_ADDED_CHARS:
            message = f"variables add more than {MAX_ADDED_CHARS} characters to this file"
            raise Mistake(Issue.at(place, message, "use shorter values, or fewer of them"))
        return value

    # One pass: what a value holds is never looked at again, so a variable cannot bring in another one.
    return TOKEN.sub(replace, text), issues


def _value(body: str, closed: bool, lookup: Mapping[str, str], place: SourceLocation) -> tuple[str, Issue | None]:
    parts = BODY.fullmatch(body)
    if not closed or parts is None or "${" in body:
        return "", Issue.at(place, *_malformed(body, closed))
    name, how, text = parts["name"], parts["how"], parts["text"]
    value = lookup.get(name)
    if value is not None and (value or how is None):
        if CONTROL.search(value):
            message = f"the value of {shown(name)} holds a line break or another control character"
            return "", Issue.at(place, message, "give it a value of one line")
        warning = None
        if SECRET_NAME.search(name):
            message = f"{shown(name)} looks like a secret and would be stored in the plan of each run"
            hint = "let the program read it from its own environment instead"
            warning = Issue.at(place, message, hint, severity=Severity.WARNING)
        return value, warning
    if how == "-":
        return text, None
    if how == "?":
        message = f"{shown(name)} is not set: {printable(text)}" if text else f"{shown(name)} is not set"
        return "", Issue.at(place, message, f"set the environment variable {shown(name)}")
    hint = f"set it, or write a default: `${{{name}:-…}}`"
    return "", Issue.at(place, f"the environment variable {shown(name)} is not set", hint)


def _malformed(body: str, closed: bool) -> tuple[str, str]:
    written = shown("${" + body + ("}" if closed else ""))
    if not closed:
        return f"{written} has no closing brace on its line", "close it, or write `$$` for a plain dollar sign"
    if body.startswith("secret."):
        return f"{written}: secrets are not supported yet", "let the program read it from its own environment"
    if "${" in body:
        return f"{written} nests a variable inside another", "use one variable, with a plain default"
    return (
        f"{written} is not a variable",
        "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`, and `$$` for a plain dollar sign",
    )
