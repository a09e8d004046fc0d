"""The difference between what is remembered and what is there: the changes to tell, and the memory to keep.

Pure decisions. Below it lie the results of `scan.py`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from animus_trigger_files.fingerprint import Fingerprint, is_same
from animus_trigger_files.patterns import Selection
from animus_trigger_files.scan import Scan

__all__ = ["Change", "ChangeKind", "Difference", "compare", "describe", "rebase"]

# A checkout changes ten thousand files at once; the event still has to fit into one frame.
_MAX_LISTED: Final = 1_000
_MAX_LISTED_BYTES: Final = 256 * 1024


class ChangeKind(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class Change(NamedTuple):
    """One file, relative to the project's root, and what happened to it."""

    path: str
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class Difference:
    """`changes` in the order of paths; `kept` and `gone` are what the memory has to learn, told or not."""

    changes: Sequence[Change]
    kept: Mapping[str, Fingerprint]
    gone: Sequence[str]


def compare(known: Mapping[str, Fingerprint], found: Scan) -> Difference:
    """What became of the `known` files. Those that could not be looked at stay as they are known."""
    gone = [path for path in known if path not in found.files and not _is_unseen(path, found.unseen)]
    kept = {path: new for path, new in found.files.items() if known.get(path) != new}
    changes = [Change(path, ChangeKind.DELETED) for path in gone]
    for path, new in kept.items():
        old = known.get(path)
        if old is None:
            changes.append(Change(path, ChangeKind.ADDED))
        elif not is_same(old, new):
            changes.append(Change(path, ChangeKind.MODIFIED))
    return Difference(sorted(changes), kept, gone)


def rebase(known: Mapping[str, Fingerprint], found: Scan, before: Selection | None, now: Selection) -> Difference:
    """What to remember silently when a trigger is selected by `now` instead of `before` (None for a new trigger).

    Files that only the new selection takes are remembered as they are; what both take keeps its changes to be told.
    """
    kept = {
        path: new
        for path, new in found.files.items()
        if path not in known and not (before is not None and before.selects(path))
    }
    return Difference([], kept, [path for path in known if not now.selects(path)])


def _is_unseen(path: str, unseen: Mapping[str, str]) -> bool:
    """Whether `path` or a folder above it, up to the root, is among `unseen`."""
    if not unseen:
        return False
    while path and path not in unseen:
        path = path.rpartition("/")[0]
    return path in unseen


def describe(changes: Sequence[Change]) -> dict[str, Any]:
    """The event's payload: the first changes by path, at most 1,000 and 256 KiB of them, and how many more."""
    listed: list[dict[str, str]] = []
    left = _MAX_LISTED_BYTES
    for change in changes[:_MAX_LISTED]:
        row = _row(change)
        left -= sum(len(text.encode()) for text in row.values())
        if left < 0:
            break
        listed.append(row)
    return {"changes": listed, "more": len(changes) - len(listed)}


def _row(change: Change) -> dict[str, str]:
    """A name that is not UTF-8 is shown with its bytes escaped, and given exactly beside it."""
    raw = os.fsencode(change.path)
    row = {"path": raw.decode("utf-8", "backslashreplace"), "change": change.kind.value}
    return row if row["path"] == change.path else {**row, "path_base64": base64.b64encode(raw).decode()}
