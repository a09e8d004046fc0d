"""In which line of a TOML file a key stands, which tomllib does not tell.

It serves messages about mistakes. Below it lies tomllib, which reads the keys.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["line_of"]

_HEADER: Final = re.compile(r"\s*(?P<open>\[\[?)(?P<key>[^\[\]]+)\]\]?\s*(?:#.*)?")
_ENTRY: Final = re.compile(r"""\s*(?P<key>(?:"[^"]*"|'[^']*'|[\w.\s-])+?)\s*=.*""")

KeyPath = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1, of the key or of the nearest table around it; None where neither begins a line.

    `path` names tables and keys from the top, and the tables of a list by their place in it, from 0.
    """
    found: dict[KeyPath, int] = {}
    lists: Counter[KeyPath] = Counter()
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _keys(header["key"])
            if header["open"] == "[[":
                lists[table] += 1
                table = (*table, lists[table] - 1)
            found.setdefault(table, number)
        elif entry := _ENTRY.fullmatch(line):
            found.setdefault((*table, *_keys(entry["key"])), number)
    wanted = tuple(path)
    # A key that is missing has no line: the table that should have it has one.
    while wanted and wanted not in found:
        wanted = wanted[:-1]
    return found.get(wanted)


def _keys(text: str) -> KeyPath:
    """`params."agent/run"` as its two keys; empty for what only looks like a key, as a line of a long text may."""
    keys: list[str] = []
    value: Any
    try:
        value = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    while isinstance(value, dict):
        [(key, value)] = value.items()
        keys.append(key)
    return tuple(keys)
