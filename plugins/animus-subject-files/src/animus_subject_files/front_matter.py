"""A task file's text, taken apart: front matter with the place of every value, and the body.

Below it lies `yaml_nodes.py`. Nothing is normalised: joining the parts gives back the very text.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from animus_subject_files.yaml_nodes import FrontMatterError, compose, json_value, key_text

__all__ = ["Document", "Entry", "FrontMatterError", "decode", "parse"]

_MAX_FRONT_MATTER_CHARS: Final = 64 * 1024
_FENCE: Final = re.compile(r"---[ \t]*\r?(?:\n|\Z)")
_CLOSING_FENCE: Final = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of the front matter; node positions count from the start of the front matter."""

    key: str
    key_node: yaml.Node
    value: yaml.Node


@dataclass(frozen=True, slots=True)
class Document:
    """`text` = opening fence + `matter` + closing fence + `body`; `values` are the entries as JSON."""

    text: str
    matter_start: int
    matter_end: int
    body_start: int
    root: yaml.MappingNode
    entries: dict[str, Entry]
    values: dict[str, Any]

    @property
    def matter(self) -> str:
        """The YAML between the fences; it ends with a line break."""
        return self.text[self.matter_start : self.matter_end]

    @property
    def body(self) -> str:
        """What follows the closing fence, unstripped."""
        return self.text[self.body_start :]

    @property
    def newline(self) -> str:
        """The line ending of the file, as its first line has it."""
        return "\r\n" if self.text[: self.matter_start].endswith("\r\n") else "\n"

    def line_of(self, key: str) -> int:
        """The file's line, 1-based, that holds `key`; 1 where there is no such key."""
        entry = self.entries.get(key)
        # One for the fence above, one because YAML counts lines from 0.
        return entry.key_node.start_mark.line + 2 if entry else 1


def decode(content: bytes) -> tuple[bytes, str]:
    """The byte order mark, if any, and the text. Raises FrontMatterError with the line that is not UTF-8."""
    bom = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    try:
        return bom, content[len(bom) :].decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, len(bom) + error.start) + 1
        raise FrontMatterError(line, "not UTF-8 - save the file with the encoding UTF-8") from None


def parse(text: str) -> Document:
    """Take `text` apart. Raises FrontMatterError."""
    if not text.strip():
        raise FrontMatterError(1, "the file is empty - write `---`, `title: ...`, `---`, or delete it")
    opening = _FENCE.match(text)
    if opening is None:
        raise FrontMatterError(1, "no front matter - let the file begin with a line `---`, `title: ...` and `---`")
    closing = _CLOSING_FENCE.search(text, opening.end())
    if closing is None:
        raise FrontMatterError(1, "the front matter does not end - put a line `---` after it")
    matter = text[opening.end() : closing.start()]
    if len(matter) > _MAX_FRONT_MATTER_CHARS:
        raise FrontMatterError(1, f"front matter over {_MAX_FRONT_MATTER_CHARS} characters - move text to the body")
    root, entries, values = _entries(matter)
    after = closing.end() + (1 if text.startswith("\n", closing.end()) else 0)
    return Document(text, opening.end(), closing.start(), after, root, entries, values)


def _entries(matter: str) -> tuple[yaml.MappingNode, dict[str, Entry], dict[str, Any]]:
    try:
        root = compose(matter)
        if root is None:
            raise FrontMatterError(0, "no keys in the front matter - write at least `title: ...`")
        entries: dict[str, Entry] = {}
        for key_node, value in root.value:
            key = key_text(key_node)
            if key in entries:
                first = entries[key].key_node.start_mark.line + 2
                line = key_node.start_mark.line + 1
                raise FrontMatterError(line, f"the key `{key}` is here again (first in line {first}) - remove one")
            entries[key] = Entry(key, key_node, value)
        return root, entries, json_value(root)
    except FrontMatterError as error:
        raise FrontMatterError(error.line + 1, error.problem) from None
