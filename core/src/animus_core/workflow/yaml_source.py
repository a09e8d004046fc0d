"""One YAML file → `Located` values: plain text, numbers, flags, lists and mappings, each with its line.

The reader is PyYAML's composer alone (its constructors never see a collection), so nothing in a file can name a Python
object. A hostile file costs little: size, depth and number of nodes are bounded, aliases counted each time they are
used. Below lie `issues`, `located` and `yaml_readers`.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

import yaml

from animus_core.workflow.issues import Issue, Mistake, SourceLocation, printable, shown
from animus_core.workflow.located import Located
from animus_core.workflow.yaml_readers import MAX_DEPTH, MAX_NODES, SCALAR_TAGS, TAG, Loader, quickly_read, scalar

__all__ = ["A_BOOLEAN", "MAX_BYTES", "parse", "read_text"]

MAX_BYTES: Final = 1 << 20
UNTOLD: Final = re.compile("[\x00\ud800-\udfff]")
A_BOOLEAN: Final = "YAML reads unquoted yes, no, on, off, true and false as a boolean: put it in quotes"


def read_text(path: Path, file: str) -> tuple[str, str]:
    """The text of a regular UTF-8 file of at most 1 MiB, and the SHA-256 of its bytes in hex.

    Raises Mistake otherwise. `file` is the name that messages use.
    """
    start = SourceLocation(file, 1, 1)
    try:
        # Without O_NONBLOCK a FIFO of that name would hang every command.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Mistake(Issue.at(start, "is not a regular file", "put a text file there, or remove it"))
            raw = _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise Mistake(Issue.at(start, message, "make it a readable file, or remove it")) from error
    if len(raw) > MAX_BYTES:
        raise Mistake(Issue.at(start, f"is larger than {MAX_BYTES} bytes", "split it into smaller files"))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        place = SourceLocation(file, raw.count(b"\n", 0, error.start) + 1, error.start - line_start + 1)
        raise Mistake(Issue.at(place, "is not UTF-8 text", "save it as UTF-8")) from error
    return text.removeprefix("\ufeff"), hashlib.sha256(raw).hexdigest()


def _read(descriptor: int) -> bytes:
    # Read to the bound and not to the size that `stat` says, which a file that grows has outrun.
    chunks: list[bytes] = []
    room = MAX_BYTES + 1
    while room > 0 and (chunk := os.read(descriptor, room)):
        chunks.append(chunk)
        room -= len(chunk)
    return b"".join(chunks)


def parse(text: str, file: str) -> tuple[Located, list[Issue]]:
    """The document in `text` and the mistakes that leave the rest of it readable.

    An empty document is a null. Raises Mistake when the YAML itself is broken or beyond the bounds.
    """
    try:
        return _Converter(file).document(quickly_read(text) or _carefully_read(text, file))
    except yaml.MarkedYAMLError as error:
        raise Mistake(_syntax_issue(error, file)) from error


def _carefully_read(text: str, file: str) -> yaml.Node | None:
    try:
        loader = Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = SourceLocation(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise Mistake(Issue.at(place, message, "remove it")) from error
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # The scanner hands numbers of escapes and directives to int() and chr() unchecked.
        mark = loader.get_mark()
        place = SourceLocation(file, mark.line + 1, mark.column + 1)
        raise Mistake(Issue.at(place, "holds a number that no character or version has", "correct it")) from error
    finally:
        loader.dispose()


def _syntax_issue(error: yaml.MarkedYAMLError, file: str) -> Issue:
    mark = error.problem_mark or error.context_mark
    place = SourceLocation(file, mark.line + 1, mark.column + 1) if mark is not None else SourceLocation(file, 1, 1)
    what = printable(error.problem or error.context or "broken")
    hint = "correct the YAML here or just above"
    if "'\\t'" in str(error.problem):
        hint = "indent with spaces, never with tabs"
    elif error.problem and error.problem.startswith(("nested deeper", "more than")):
        hint = "make the file simpler"
    elif "another document" in str(error.problem) or "single document" in str(error.context):
        what, hint = "a second document begins", "put it into a file of its own"
    return Issue.at(place, f"not valid YAML: {what}", hint)


class _Converter:
    """Nodes → `Located`, collecting mistakes; counts every node again, since an alias repeats its nodes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.issues: list[Issue] = []
        self.count = 0

    def document(self, node: yaml.Node | None) -> tuple[Located, list[Issue]]:
        if node is None:
            return Located(SourceLocation(self.file, 1, 1)), []
        return self.convert(node, self.place(node), 1), self.issues

    def place(self, node: yaml.Node) -> SourceLocation:
        return SourceLocation(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def convert(self, node: yaml.Node, place: SourceLocation, depth: int) -> Located:
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            message = "aliases make this document too large"
            raise Mistake(Issue.at(self.place(node), message, "write fewer aliases (`*name`)"))
        # By tag and not by shape: `!!python/…` and `!!set` look like mappings too.
        if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
            return Located(place, fields=self.mapping(node, depth))
        if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
            return Located(place, items=[self.convert(item, self.place(item), depth + 1) for item in node.value])
        if isinstance(node, yaml.ScalarNode) and (node.tag in SCALAR_TAGS or node.tag == TAG + "merge"):
            return self.scalar(node, place)
        self.refuse(node, f"the tag {shown(node.tag.removeprefix(TAG))} is not allowed", "remove the tag")
        return Located(place, refused=True)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Located]:
        fields: dict[str, Located] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            place = self.place(key_node)
            # Also under a refused key: the mistakes there are reported together with it.
            value = self.convert(value_node, place, depth + 1)
            if key is None:
                continue
            if key in fields:
                first = fields[key].place
                self.refuse(key_node, f"the key {shown(key)} is written twice, first on line {first.line}", "keep one")
                continue
            fields[key] = value
        return fields

    def key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, "a key must be text, not a list or a mapping", "write a name as the key")
        elif node.tag == TAG + "merge":
            self.refuse(node, "merge keys (`<<`) are not supported", "write the keys out")
        elif node.tag == TAG + "str":
            if not UNTOLD.search(node.value):
                return str(node.value)
            self.refuse(node, "a key holds a character that cannot be stored", "remove it")
        else:
            kind = SCALAR_TAGS.get(node.tag, "tag")
            article = {"int": "a number", "float": "a number", "bool": "a boolean", "null": "nothing"}.get(
                kind, "a tag"
            )
            hint = A_BOOLEAN if kind == "bool" else "a key must be text: put it in quotes"
            self.refuse(node, f"the key {shown(node.value)} is read as {article}", hint)
        return None

    def scalar(self, node: yaml.ScalarNode, place: SourceLocation) -> Located:
        kind = SCALAR_TAGS.get(node.tag, "str")
        try:
            value = scalar(node, kind)
        except (ValueError, KeyError, OverflowError, IndexError):
            what = "true or false" if kind == "bool" else "a number"
            self.refuse(node, f"{shown(node.value)} cannot be read as {what}", "correct it, or put it in quotes")
            return Located(place, refused=True)
        if isinstance(value, str) and UNTOLD.search(value):
            self.refuse(node, "holds a character that cannot be stored (NUL or half of a pair)", "remove it")
            return Located(place, refused=True)
        return Located(place, value=value)

    def refuse(self, node: yaml.Node, message: str, hint: str) -> None:
        self.issues.append(Issue.at(self.place(node), message, hint))
