"""YAML text to nodes with positions, and nodes to JSON values. Below it lies PyYAML.

Scalars are read by the core schema of YAML 1.2, so that `assignee: no` is the text "no" and `at: 12:30` is not a
number. What a person can write to hurt the process (deep nesting, alias bombs) is refused before it can.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

__all__ = ["FrontMatterError", "compose", "is_plain_text", "iso_text", "json_value", "key_text"]

_MAX_DEPTH: Final = 50
_MAX_VALUES: Final = 10_000
# Python refuses to convert more than 4,300 digits: such a value stays text.
_MAX_INT_DIGITS: Final = 1_000
_CORE: Final = "tag:yaml.org,2002:"
_WHEN: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:[Zz]|[-+]\d\d:?\d\d))?)?")


class FrontMatterError(ValueError):
    """The text cannot be read: `line` is 1-based in the text that was given, `problem` says what and what to do."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


class _Core(BaseResolver):
    """Which plain scalars are more than text; infinities and NaN stay text because JSON has none."""


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Core.add_implicit_resolver(_CORE + _tag, re.compile(rf"^(?:{_pattern})$"), _first)


class _PurePythonLoader(Reader, Scanner, Parser, Composer, _Core):
    """For a PyYAML that was built without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _Core.__init__(self)


def _fast_loader() -> type[Any] | None:
    if not yaml.__with_libyaml__:
        return None
    from yaml import CBaseLoader

    class FastLoader(_Core, CBaseLoader):
        """Its `__init__` is that of `CBaseLoader`; `_Core` comes first for the resolvers."""

    return FastLoader


_LOADER: Final[type[Any]] = _fast_loader() or _PurePythonLoader


def compose(text: str) -> yaml.MappingNode | None:
    """The mapping that `text` holds, or None where it holds nothing. Raises FrontMatterError."""
    try:
        _refuse_deep_nesting(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and "end of stream" in (error.problem or ""):
            raise FrontMatterError(error.context_mark.line + 1, "what opens here does not end - close it") from None
        raise FrontMatterError(mark.line + 1 if mark else 1, _explain(error, text)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FrontMatterError(line, "a character that YAML does not allow - remove it") from None
    if node is None:
        return None
    if not isinstance(node, yaml.MappingNode):
        raise FrontMatterError(node.start_mark.line + 1, "the front matter is not `key: value` lines - write it so")
    return node


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "the line is indented with a tab - YAML wants spaces"
    problem = error.problem or error.context or "not valid YAML"
    if "mapping values are not allowed" in problem:
        return "a `: ` inside the value - put the value in quotes"
    if "cannot start any token" in problem:
        return f"{problem} - put the value in quotes"
    return f"{problem} - correct the YAML here or in the line above"


def _refuse_deep_nesting(text: str) -> None:
    # A level needs one of these characters: so few of them need no second parsing.
    if sum(text.count(opener) for opener in "[{-?:") <= _MAX_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise FrontMatterError(line, f"nested deeper than {_MAX_DEPTH} - make it flat")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def json_value(node: yaml.Node) -> Any:
    """The JSON value of `node`; a plain date or time becomes ISO 8601 text. Raises FrontMatterError."""
    return _Reading().value(node, 0)


class _Reading:
    """Counts what it reads, because an alias may repeat a value any number of times."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._left -= 1
        line = node.start_mark.line + 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise FrontMatterError(line, "too many values - write them out without `*aliases`, or fewer")
        if isinstance(node, yaml.SequenceNode):
            self._plain_tag(node, "seq")
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            self._plain_tag(node, "map")
            return self._mapping(node, depth)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise FrontMatterError(line, "not a YAML value - correct it")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            name = key_text(key)
            if name in result:
                raise FrontMatterError(key.start_mark.line + 1, f"the key `{name}` is here twice - remove one")
            result[name] = self.value(value, depth + 1)
        return result

    @staticmethod
    def _plain_tag(node: yaml.Node, tag: str) -> None:
        if node.tag != _CORE + tag:
            raise FrontMatterError(node.start_mark.line + 1, f"the tag `{node.tag}` has no meaning here - remove it")


def key_text(node: yaml.Node) -> str:
    """The text of a mapping's key, as written. Raises FrontMatterError for a key that is not text."""
    if not isinstance(node, yaml.ScalarNode):
        raise FrontMatterError(node.start_mark.line + 1, "a key that is a list or a mapping - use plain text")
    return str(node.value)


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    match node.tag.removeprefix(_CORE):
        case "str":
            return text if node.style else iso_text(text)
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text, base) if len(text) <= _MAX_INT_DIGITS else text
        case "float":
            number = float(text)
            return number if math.isfinite(number) else text
        case _:
            line = node.start_mark.line + 1
            raise FrontMatterError(line, f"the tag `{node.tag}` has no meaning here - remove it")


def iso_text(text: str) -> str:
    """How a plain date or time is handed on: in ISO 8601; any other text as it is."""
    if not _WHEN.fullmatch(text):
        return text
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text).isoformat()
        return datetime.fromisoformat(text.upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z")).isoformat()
    except ValueError:
        return text


_SAFE: Final = re.compile(r"[^\W\d](?:[\w ./@+()-]*[\w./@+()-])?")
_NOT_TEXT_ELSEWHERE: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def is_plain_text(text: str) -> bool:
    """Whether every YAML reader, of 1.1 too, takes `text` without quotes as this very text."""
    return _SAFE.fullmatch(text) is not None and text.isprintable() and text.lower() not in _NOT_TEXT_ELSEWHERE
