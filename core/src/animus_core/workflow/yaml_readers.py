"""YAML text → nodes with their lines, within bounds; by libyaml where that is sure to read what PyYAML itself reads.

PyYAML's own scanner takes ten times as long as libyaml's, and every command that looks at a workflow waits for it. Its
words about what is broken are the ones that people get: whatever libyaml refuses, and whatever the two read otherwise,
is read by PyYAML alone. Below lies PyYAML.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor

from animus_core.workflow.located import Scalar

__all__ = ["MAX_DEPTH", "MAX_NODES", "SCALAR_TAGS", "TAG", "Loader", "quickly_read", "scalar"]

MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 50
TAG: Final = "tag:yaml.org,2002:"
SCALAR_TAGS: Final = {TAG + name: name for name in ("str", "int", "float", "bool", "null")}
# Tabs, rare line breaks, marks of byte order, directives, tags, `? ` before a key, and `#` right behind `|` or `>`.
READ_OTHERWISE: Final = re.compile("[\t\x85\u2028\u2029\ufeff%!?]|[|>][-+0-9]*#")


class _BeyondBounds(yaml.MarkedYAMLError):
    """The document is nested too deep, or holds too many values."""


class _Bounded(Composer):
    """A composer with bounds on what it composes, over whatever gives the events."""

    peek_event: Any
    depth = 0
    count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.count += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.beyond(f"nested deeper than {MAX_DEPTH} levels")
        if self.count > MAX_NODES:
            raise self.beyond(f"more than {MAX_NODES} values")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def beyond(self, problem: str) -> _BeyondBounds:
        return _BeyondBounds(problem=problem, problem_mark=self.peek_event().start_mark)


class Loader(_Bounded, yaml.SafeLoader):
    """The safe loader without dates and other surprises, and with bounds on what it composes."""


# Dates and the like stay text: `2024-01-01` as an id would come back as an object that nobody expects.
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag in SCALAR_TAGS or tag == TAG + "merge"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _quick_loader() -> type[Any] | None:
    """The same over libyaml's events, or None where PyYAML was built without libyaml."""
    if not yaml.__with_libyaml__:
        return None

    class QuickLoader(_Bounded, yaml.CSafeLoader):
        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            Composer.__init__(self)

    QuickLoader.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers
    return QuickLoader


_QUICK: Final = _quick_loader()
_CONSTRUCTOR: Final = SafeConstructor()


def quickly_read(text: str) -> yaml.MappingNode | None:
    """The mapping in `text`, or None where only `Loader` can say what it holds.

    Raises yaml.MarkedYAMLError when the document is beyond the bounds.
    """
    if _QUICK is None or READ_OTHERWISE.search(text):
        return None
    try:
        node = _QUICK(text).get_single_node()
    except _BeyondBounds:
        raise
    except (yaml.YAMLError, ValueError, OverflowError):
        return None
    # A file that holds nothing is elsewhere for libyaml.
    return node if isinstance(node, yaml.MappingNode) else None


def scalar(node: yaml.ScalarNode, kind: str) -> Scalar:
    """The value of a node whose tag means `kind`. Raises ValueError, KeyError, OverflowError or IndexError."""
    if kind == "str":
        return str(node.value)
    if kind == "null":
        return None
    build = {
        "int": _CONSTRUCTOR.construct_yaml_int,
        "float": _CONSTRUCTOR.construct_yaml_float,
        "bool": _CONSTRUCTOR.construct_yaml_bool,
    }
    value: Scalar = build[kind](node)
    return value
