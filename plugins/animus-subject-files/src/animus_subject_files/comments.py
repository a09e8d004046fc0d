"""Comments in a task's body: a section `## Comments` with one dated list item each.

Nothing lies below. What is there is never changed, only added to.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["append_comment"]

_SECTION: Final = re.compile(r"##[ \t]+Comments[ \t]*#*[ \t]*", re.IGNORECASE)
_HEADING: Final = re.compile(r"#{1,2}[ \t]")
# A heading within a block of code is text of the task, and neither begins nor ends the section.
_CODE: Final = re.compile(r" {0,3}(```+|~~~+)")


def append_comment(body: str, comment: str, when: str, newline: str) -> str:
    """`body` with a list item `- <when>: <comment>` at the end of its comments section, which is made if missing.

    A body that has this very item already is left alone. A body without a line break at its end stays so. `newline` is
    the file's line ending.
    """
    first, *more = comment.strip().splitlines()
    item = newline.join([f"- {when}: {first}", *(f"  {line}".rstrip() for line in more)])
    if item in body:
        return body
    lines = body.splitlines(keepends=True)
    end = _section_end(lines)
    if end is None:
        blank = "" if not body.strip() else newline
        ended = body if not body or body.endswith(("\n", "\r")) else body + newline
        added = f"{ended}{blank}## Comments{newline}{newline}{item}"
        return added if body and not body.endswith(("\n", "\r")) else added + newline
    head, tail = "".join(lines[:end]), "".join(lines[end:])
    if head.endswith(("\n", "\r")):
        return f"{head}{item}{newline}{tail}"
    return f"{head}{newline}{item}{tail}"


def _section_end(lines: list[str]) -> int | None:
    """The index after the last line with text in the comments section, or None without such a section."""
    end: int | None = None
    fence: str | None = None
    for index, line in enumerate(lines):
        text = line.rstrip("\r\n")
        code = _CODE.match(text)
        if fence is not None:
            if code and code[1].startswith(fence) and not text.strip().strip(fence[0]):
                fence = None
        elif code:
            fence = code[1]
        elif end is not None and _HEADING.match(text):
            break
        elif end is None and _SECTION.fullmatch(text):
            end = index + 1
        if end is not None and text.strip():
            end = index + 1
    return end
