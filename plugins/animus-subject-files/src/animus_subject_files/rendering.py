"""JSON values as YAML on one line. Below it lies `yaml_nodes.py`."""

from __future__ import annotations

import json
from typing import Any

import yaml

from animus_subject_files.yaml_nodes import is_plain_text

__all__ = ["render", "render_like"]


def render(value: Any) -> str:
    """`value` in flow style: text without quotes where every reader takes it as text, else in double quotes."""
    match value:
        case str():
            return value if is_plain_text(value) else _quoted(value)
        case dict():
            return "{" + ", ".join(f"{_key(key)}: {render(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(render(item) for item in value) + "]"
        case _:
            return json.dumps(value)


def render_like(value: Any, node: yaml.Node) -> str:
    """`value` in the quotes that `node` has, where that is possible."""
    style = node.style if isinstance(node, yaml.ScalarNode) else None
    # Single quotes know no escapes, so they cannot hold a line break.
    if isinstance(value, str) and style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, str) and style == '"':
        return _quoted(value)
    return render(value)


def _key(key: str) -> str:
    return key if is_plain_text(key) else _quoted(key)


def _quoted(text: str) -> str:
    """In double quotes, with an escape for whatever a YAML reader would refuse or fold."""
    return "".join(
        character if character == " " or character.isprintable() else _escape(character)
        for character in json.dumps(text, ensure_ascii=False)
    )


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
