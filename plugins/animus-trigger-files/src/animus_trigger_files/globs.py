"""Globs as regular expressions. Nothing lies below.

`*` and `?` stay within a name, `[a-z]` and `[!a-z]` are one character, `**` as a whole name is any number of folders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["ANY_DEPTH", "GlobError", "glob_regex", "is_glob", "name_regex"]

ANY_DEPTH: Final = "**"
_BELOW: Final = "[^/]+(?:/[^/]+)*"


class GlobError(ValueError):
    """The text is no glob; the message says what to write instead."""


def is_glob(name: str) -> bool:
    """Whether `name` is more than its characters; braces count, because they are refused."""
    return any(mark in name for mark in "*?[{}")


def glob_regex(names: Sequence[str]) -> str:
    """The expression for a path whose parts match `names`, one after the other. Raises GlobError."""
    parts = []
    for index, name in enumerate(names):
        last = index == len(names) - 1
        if name == ANY_DEPTH:
            parts.append(_BELOW if last else "(?:[^/]+/)*")
        else:
            parts.append(name_regex(name) + ("" if last else "/"))
    return "".join(parts)


def name_regex(name: str) -> str:
    """The expression for one name of a path. Raises GlobError."""
    if "{" in name or "}" in name:
        raise GlobError("braces are not expanded - write one entry for each, or `[{]` for the character")
    parts: list[str] = []
    at = 0
    while at < len(name):
        mark = name[at]
        at += 1
        if mark == "*":
            # Several in a row mean the same as one, and each one more would multiply the time of a match that fails.
            if parts[-1:] != ["[^/]*"]:
                parts.append("[^/]*")
        elif mark == "?":
            parts.append("[^/]")
        elif mark == "[":
            end = name.find("]", at + (2 if name[at : at + 1] in ("!", "^") else 1))
            if end < 0:
                raise GlobError("a `[` without its `]` - close it, or write `[[]` for the character")
            parts.append(_one_of(name[at:end]))
            at = end + 1
        else:
            parts.append(re.escape(mark))
    return "".join(parts)


def _one_of(characters: str) -> str:
    negated = characters[:1] in ("!", "^")
    escaped = "".join(mark if mark == "-" else re.escape(mark) for mark in characters[negated:])
    # A negated class takes a slash, too, and a pattern must stay within one name.
    expression = f"(?!/)[^{escaped}]" if negated else f"[{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        raise GlobError(f"`[{characters}]` is no range of characters - write the lower end first") from None
    return expression
