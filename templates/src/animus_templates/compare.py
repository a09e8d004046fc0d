"""What a template has changed since a project was made from it.

Below it lie `rendering.py` and `record.py`. The project is rendered anew from
its recorded answers, elsewhere; nothing in it is touched but the record, where its author asks for that.
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from animus_templates.record import TemplateRecord, digest, files_in, read_record, replace_record
from animus_templates.rendering import render_into

__all__ = ["ChangedFile", "accept", "check"]


class ChangedFile(NamedTuple):
    """A file that the template renders otherwise than it did.

    `diff` leads from the file in the project to the template's; where `by_author`, what the author changed is in it.
    """

    path: str
    by_author: bool
    diff: str


def check(project: Path) -> list[ChangedFile]:
    """The files of `project` that the installed template would render otherwise now, and that are not so already.

    Raises BadRecord for a folder that was not made from a template, BadAnswer for a record that no template takes.
    """
    record = read_record(project)
    with tempfile.TemporaryDirectory(prefix="animus-template-") as workshop:
        rendered = files_in(render_into(Path(workshop), record.kind, record.answers))
    return compare(project, record, rendered)


def accept(project: Path) -> None:
    """Record the template as it is now: `check` shows what it changes from then on. Raises as `check`, and OSError."""
    record = read_record(project)
    with tempfile.TemporaryDirectory(prefix="animus-template-") as workshop:
        replace_record(project, render_into(Path(workshop), record.kind, record.answers))


def compare(project: Path, record: TemplateRecord, rendered: Mapping[str, bytes]) -> list[ChangedFile]:
    """`check`, once the template's files are known."""
    changes = []
    for path in sorted(record.files.keys() | rendered.keys()):
        was, theirs, mine = record.files.get(path), rendered.get(path), _content(project / path)
        # Only what the template has changed since is shown; what the author alone has changed is the author's business.
        if _digest(theirs) != was and theirs != mine:
            changes.append(ChangedFile(path, _digest(mine) != was, _diff(path, mine, theirs)))
    return changes


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _digest(content: bytes | None) -> str | None:
    return None if content is None else digest(content)


def _diff(path: str, mine: bytes | None, theirs: bytes | None) -> str:
    """A unified diff; a side that is not there is `/dev/null`, as patch has it."""
    before, after = ((side or b"").decode(errors="replace").splitlines(keepends=True) for side in (mine, theirs))
    lines = difflib.unified_diff(
        before,
        after,
        fromfile="/dev/null" if mine is None else f"a/{path}",
        tofile="/dev/null" if theirs is None else f"b/{path}",
    )
    return "".join(one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n" for one in lines)
