"""How what is there differs from what was trusted, for people: a list of changes, and a bounded unified diff.

Pure. Names and contents come from a repository that may be hostile: nothing that a terminal obeys comes through, and
the work is bounded whatever the files look like.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from animus_core.supply.trust.coverage import FOLDER, Entry
from animus_core.terminal import escape_unprintable

__all__ = ["Change", "changes_between", "unified_diff"]

_MAX_LINES: Final = 2000  # more than a person reads before trusting
# difflib takes quadratic time at worst, and these files may be made to be the worst.
_MAX_COMPARED_LINES: Final = 1000
_MAX_LINE_CHARS: Final = 500
_CONTEXT_LINES: Final = 3


class Change(NamedTuple):
    """What became of one covered path: added, changed, removed, made executable, made not executable, relinked, …"""

    path: str
    what: str


def changes_between(before: Sequence[Entry], now: Sequence[Entry]) -> list[Change]:
    """Every path that differs, sorted."""
    return [Change(path, _what(old, new)) for path, old, new in _pairs(before, now)]


def unified_diff(before: Sequence[Entry], now: Sequence[Entry]) -> str:
    """All differences as text, cut after 2,000 lines with a last line that says so."""
    lines = list(islice(_lines(before, now), _MAX_LINES + 1))
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = ["… more follows: look at the files themselves before you trust them"]
    return "\n".join(lines)


def _pairs(before: Sequence[Entry], now: Sequence[Entry]) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    olds, news = ({entry.path: entry for entry in entries} for entries in (before, now))
    for path in sorted(olds.keys() | news.keys()):
        old, new = olds.get(path), news.get(path)
        # Without the text, which is kept for small files only: the hash says whether the content is the same.
        if old is None or new is None or old._replace(text=None) != new._replace(text=None):
            yield path, old, new


def _what(old: Entry | None, new: Entry | None) -> str:
    if new is None:
        return "removed"
    if old is None:
        return f"added{', executable' if new.executable else ''}{f': {_described(new)}' if _is_odd(new) else ''}"
    if old.kind != new.kind:
        return f"became {_described(new)}"
    if old.target != new.target:
        return f"now {_described(new)}"
    if old.sha256 != new.sha256:
        return "changed" if old.executable == new.executable else f"changed and {_mode(new)}"
    return _mode(new)


def _mode(new: Entry) -> str:
    return "made executable" if new.executable else "made not executable"


def _is_odd(entry: Entry) -> bool:
    return entry.kind != "file" or entry.target is not None


def _described(entry: Entry) -> str:
    if entry.target is not None:
        return f"a link to {entry.target}"
    return "a file" if entry.kind == "file" else "neither a file nor a folder"


def _lines(before: Sequence[Entry], now: Sequence[Entry]) -> Iterator[str]:
    for path, old, new in _pairs(before, now):
        yield f"--- {FOLDER}/{path}" if old else "--- (nothing)"
        yield f"+++ {FOLDER}/{path}" if new else "+++ (nothing)"
        yield f"# {_what(old, new)}"
        if (old.sha256 if old else "") == (new.sha256 if new else ""):
            continue
        if (old is None or old.text is not None) and (new is None or new.text is not None):
            yield from _text_lines(old.text or "" if old else "", new.text or "" if new else "")
        else:
            sizes = " → ".join(f"{entry.size_bytes:,} bytes" if entry else "nothing" for entry in (old, new))
            yield f"# not shown as text: {sizes}"


def _text_lines(old: str, new: str) -> Iterator[str]:
    """The differing lines; where they are too many to be matched, all old ones and then all new ones."""
    olds, news = (_split(text) for text in (old, new))
    if max(len(olds), len(news)) <= _MAX_COMPARED_LINES:
        found = difflib.unified_diff(olds, news, n=_CONTEXT_LINES, lineterm="")
        yield from (_shown(line) for line in islice(found, 2, None))
        return
    start = 0
    while start < min(len(olds), len(news)) and olds[start] == news[start]:
        start += 1
    end = 0
    while end < min(len(olds), len(news)) - start and olds[-1 - end] == news[-1 - end]:
        end += 1
    yield f"@@ from line {start + 1} @@"
    yield from (_shown(f"-{line}") for line in olds[start : len(olds) - end])
    yield from (_shown(f"+{line}") for line in news[start : len(news) - end])


def _split(text: str) -> list[str]:
    """Lines as they end with LF alone: a carriage return stays in its line, where it is shown."""
    if not text:
        return []
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]} \\ no newline at the end"]


def _shown(line: str) -> str:
    shown = escape_unprintable(line[:_MAX_LINE_CHARS], keep="\t")
    left = len(line) - _MAX_LINE_CHARS
    return f"{shown} … ({left} more characters)" if left > 0 else shown
