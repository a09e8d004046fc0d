"""YAML with positions: every value knows its file and line, and every mistake is told with both.

Below it lies PyYAML's composer, whose nodes carry marks. No YAML tag ever constructs anything here: texts, numbers,
flags, lists and mappings are all there is.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from animus_sdk import InvalidParams

__all__ = ["Field", "ScriptError", "compose"]

_TAG: Final = "tag:yaml.org,2002:"
_NAMES: Final = {"str": "text", "int": "number", "float": "number", "bool": "flag", "null": "nothing"}
_DEEPEST: Final = 50


class ScriptError(InvalidParams):
    """A mistake in a script: `at` is file:line, then what is wrong and what to do about it."""

    def __init__(self, at: str, what: str, remedy: str) -> None:
        super().__init__(f"{at}: {what} — {remedy}")


@dataclass(frozen=True)
class Field:
    """One value of the file. `name` is what people call it: `say`, `edit.path`, `scripts[2]`."""

    path: str
    name: str
    node: yaml.Node

    @property
    def at(self) -> str:
        """`file:line`, the line counted from 1."""
        return f"{self.path}:{self.node.start_mark.line + 1}"

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def kind(self) -> str:
        """What the value is, in a word: text, number, flag, nothing, list or mapping."""
        if isinstance(self.node, yaml.ScalarNode):
            return _NAMES.get(self.node.tag.removeprefix(_TAG), "text")
        return "list" if self.is_list else "mapping"

    def problem(self, what: str, remedy: str) -> ScriptError:
        """The error that says `what` about this value; the caller raises it."""
        return ScriptError(self.at, what, remedy)

    def text(self) -> str:
        """A text. Raises ScriptError for anything else, so that `say: yes` is not silently `true`."""
        if isinstance(self.node, yaml.ScalarNode) and self.kind == "text":
            return self._characters(self.node.value)
        if self.kind == "nothing":
            raise self.problem(f"{self.name} is empty", "write a text")
        remedy = "put the text in quotes" if self.kind in {"number", "flag", "mapping"} else "write a text"
        raise self.problem(f"{self.name} needs a text and is a {self.kind}", remedy)

    def number(self, *, more_than: float | None = None) -> float:
        """A finite number that is at least 0, or `more_than` the given bound. Raises ScriptError."""
        value = self._scalar() if self.kind == "number" else None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.problem(f"{self.name} needs a number and is {self._shown()}", "write one, such as 0.5")
        if more_than is not None and value <= more_than:
            raise self.problem(f"{self.name} is {value}", f"write a number greater than {more_than:g}")
        if value < 0:
            raise self.problem(f"{self.name} is {value}", "write 0 or more")
        return float(value)

    def whole(self, least: int, most: int = 2**63 - 1) -> int:
        """A whole number from `least` to `most`. Raises ScriptError."""
        value = self._scalar() if self.kind == "number" else None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.problem(f"{self.name} needs a whole number and is {self._shown()}", "write one, such as 1")
        if not least <= value <= most:
            raise self.problem(f"{self.name} is {value}", f"write a number from {least} to {most}")
        return value

    def flag(self) -> bool:
        """True or false. Raises ScriptError."""
        value = self._scalar() if self.kind == "flag" else None
        if not isinstance(value, bool):
            raise self.problem(f"{self.name} needs true or false and is {self._shown()}", "write true or false")
        return value

    def choice(self, options: Sequence[str]) -> str:
        """One of `options`. Raises ScriptError with the nearest one."""
        value = self.text()
        if value not in options:
            raise self.problem(f'{self.name} is "{value}"', _instead(value, options))
        return value

    def items(self) -> list[Field]:
        """The values of a list. Raises ScriptError."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.problem(f"{self.name} needs a list and is {self._shown()}", 'start each item with "- "')
        return [Field(self.path, f"{self.name}[{n}]", node) for n, node in enumerate(self.node.value)]

    def texts(self) -> tuple[str, ...]:
        """A text or a list of texts. Raises ScriptError."""
        return tuple(item.text() for item in self.items()) if self.is_list else (self.text(),)

    def fields(self, allowed: Iterable[str], required: Iterable[str] = ()) -> dict[str, Field]:
        """The values of a mapping by key. Raises ScriptError: unknown, doubled and missing keys."""
        known = list(allowed)
        found = self.entries()
        for key, field in found.items():
            if key not in known:
                raise ScriptError(field.at, f'{self.name} has no key "{key}"', _instead(key, known))
        for key in required:
            if key not in found:
                raise self.problem(f'{self.name} lacks the key "{key}"', f'add "{key}:"')
        return found

    def entries(self) -> dict[str, Field]:
        """All values of a mapping by key, whatever the keys are. Raises ScriptError: doubled and non-text keys."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.problem(f"{self.name} needs a mapping and is {self._shown()}", 'write "key: value" lines')
        found: dict[str, Field] = {}
        for key_node, value_node in self.node.value:
            key = Field(self.path, f"a key of {self.name}", key_node)
            name = key.text()
            if name in found:
                raise key.problem(f'the key "{name}" is given twice', f"remove one; the first is at {found[name].at}")
            found[name] = Field(self.path, name, value_node)
        return found

    def json(self, depth: int = 0) -> Any:
        """The value as JSON data. Raises ScriptError where JSON has no such value."""
        if depth > _DEEPEST:
            raise self.problem(f"{self.name} is nested too deeply", "remove the alias that contains itself")
        if self.is_mapping:
            return {key: field.json(depth + 1) for key, field in self.entries().items()}
        if self.is_list:
            return [item.json(depth + 1) for item in self.items()]
        value = self._scalar()
        if isinstance(value, float) and not math.isfinite(value):
            raise self.problem(f"{self.name} is {value}", "JSON has finite numbers only; put it in quotes")
        return value

    def _scalar(self) -> str | int | float | bool | None:
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        if self.kind == "text":  # dates too: JSON has no type for them
            return self._characters(self.node.value)
        try:
            value: str | int | float | bool | None = yaml.constructor.SafeConstructor().construct_object(self.node)
        except ValueError:
            raise self.problem(f"{self.name} is not what its tag says", "remove the tag") from None
        return value

    def _characters(self, value: str) -> str:
        """`value` with pairs of escaped surrogates joined, as JSON writes them; half of one cannot be sent."""
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.problem(f"{self.name} holds half of a surrogate pair", "write the whole character") from None

    def _shown(self) -> str:
        if self.kind == "nothing":
            return "empty"
        return f'"{self.node.value}"' if isinstance(self.node, yaml.ScalarNode) else f"a {self.kind}"


def compose(path: str, source: str) -> Field:
    """The only document of `source`; `path` is what messages call the file. Raises ScriptError."""
    try:
        node = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScriptError(f"{path}:{line}", f"not YAML: {error.problem}", "fix the line, or the one before") from error
    except yaml.YAMLError as error:
        raise ScriptError(f"{path}:1", f"not YAML: {error}", "save the file as UTF-8 text") from error
    if node is None:
        raise ScriptError(f"{path}:1", "the file is empty", 'write "scripts:" and a list of scripts')
    return Field(path, "the file", node)


def _instead(value: str, options: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, options, n=1)
    return f'did you mean "{near[0]}"?' if near else f"write one of: {', '.join(options)}"
