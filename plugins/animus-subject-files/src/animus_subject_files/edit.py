"""Changes to front matter that leave every other byte alone.

Below it lie `front_matter.py` and `rendering.py`. A change is a splice at the place of the value. Because people write
YAML in more ways than a splice can foresee, each result is parsed again and must differ in the wanted key and in
nothing else; a change that no splice can make is refused, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from animus_subject_files.front_matter import Document, Entry, FrontMatterError, parse
from animus_subject_files.rendering import render, render_like
from animus_subject_files.yaml_nodes import iso_text

__all__ = ["add_item", "clear_value", "remove_item", "remove_key", "set_time", "set_value"]

_BLANK_LINES: Final = re.compile(r"(?:[ \t]*\r?\n)+")
_ITS_OWN_COMMENTS: Final = re.compile(r"(?:[ \t]+#[^\n]*\n|[ \t]*\r?\n)+")
_DASH: Final = re.compile(r"[ ]*-[ ]+")


def set_value(doc: Document, key: str, value: Any) -> Document:
    """`doc` with `key` set to a JSON value, in the quotes it had; a new key comes last. Raises FrontMatterError."""
    if key in doc.values and _same(doc.values[key], value):
        return doc
    entry = doc.entries.get(key)
    splices = _insertions(doc, key, value) if entry is None else _replacements(doc, entry, value)
    return _checked(doc, key, splices, {**doc.values, key: value})


def set_time(doc: Document, key: str, text: str) -> Document:
    """`doc` with the existing time `key` set to ISO 8601 `text`, quoted only if it was. Raises FrontMatterError."""
    entry = doc.entries[key]
    if isinstance(entry.value, yaml.ScalarNode) and not entry.value.style:
        start, end = _span(doc.matter, entry.value)
        splices = iter([(start, end, f" {text}" if start == end else text)])
        return _checked(doc, key, splices, {**doc.values, key: iso_text(text)})
    return set_value(doc, key, text)


def clear_value(doc: Document, key: str) -> Document:
    """`doc` with nothing after `key:`; the key and its comment stay. Raises FrontMatterError."""
    entry = doc.entries.get(key)
    if entry is None or doc.values[key] is None:
        return doc
    return _checked(doc, key, _replacements(doc, entry, None), {**doc.values, key: None})


def remove_key(doc: Document, key: str) -> Document:
    """`doc` without the lines of `key`. Raises FrontMatterError."""
    entry = doc.entries.get(key)
    if entry is None:
        return doc
    rest = {name: value for name, value in doc.values.items() if name != key}
    return _checked(doc, key, _removals(doc, entry), rest)


def add_item(doc: Document, key: str, item: str) -> Document:
    """`doc` with text added to the list `key`, in the style that the list has. Raises FrontMatterError."""
    entry = doc.entries.get(key)
    old = doc.values.get(key)
    items = old if isinstance(old, list) else [] if old is None else [old]
    wanted = [*items, item]
    if entry is None:
        return set_value(doc, key, wanted)
    splices = _chain(_item_additions(doc, entry, item), _replacements(doc, entry, wanted))
    return _checked(doc, key, splices, {**doc.values, key: wanted})


def remove_item(doc: Document, key: str, index: int) -> Document:
    """`doc` without the item at `index` of the list `key` (or without its only value). Raises FrontMatterError."""
    entry = doc.entries[key]
    if not isinstance(entry.value, yaml.SequenceNode):
        return clear_value(doc, key)
    items = doc.values[key]
    rest = [*items[:index], *items[index + 1 :]]
    splices = _chain(_item_removals(doc, entry.value, index), _replacements(doc, entry, rest))
    return _checked(doc, key, splices, {**doc.values, key: rest})


_Splice = tuple[int, int, str]


def _chain(*parts: Iterator[_Splice]) -> Iterator[_Splice]:
    for part in parts:
        yield from part


def _same(left: Any, right: Any) -> bool:
    # As JSON: to Python 1, 1.0 and True are equal, and a change from one to the other would be lost.
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _checked(doc: Document, key: str, splices: Iterator[_Splice], wanted: dict[str, Any]) -> Document:
    for start, end, replacement in splices:
        at = doc.matter_start
        text = doc.text[: at + start] + replacement + doc.text[at + end :]
        try:
            changed = parse(text)
        except FrontMatterError:
            continue
        if changed.body == doc.body and _same(changed.values, wanted):
            return changed
    raise FrontMatterError(
        doc.line_of(key), f"`{key}` cannot be changed without touching other lines - change it by hand, or simplify it"
    )


def true_end(node: yaml.Node) -> int:
    """Where the last character of `node` is; a block collection's own mark runs on to the next key."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return true_end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _span(matter: str, node: yaml.Node) -> tuple[int, int]:
    start = node.start_mark.index
    return start, start + len(matter[start : true_end(node)].rstrip())


def _line_end(matter: str, at: int) -> int:
    """The start of the line after the one that holds `at`."""
    found = matter.find("\n", at)
    return len(matter) if found < 0 else found + 1


def _replacements(doc: Document, entry: Entry, value: Any) -> Iterator[_Splice]:
    matter, node = doc.matter, entry.value
    start, end = _span(matter, node)
    new = "" if value is None else render_like(value, node)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        colon = matter.find(":", entry.key_node.end_mark.index)
        rest = matter[colon + 1 : _line_end(matter, colon)].rstrip("\r\n")
        yield colon + 1, end, f" {new}{rest}"
        return
    if not new:
        yield len(matter[:start].rstrip(" ")), end, ""
    yield start, end, f" {new}" if start == end and new else new
    if new != render(value):
        yield start, end, f" {render(value)}" if start == end else render(value)


def _insertions(doc: Document, key: str, value: Any) -> Iterator[_Splice]:
    matter, root = doc.matter, doc.root
    pair = f"{render(key)}: {render(value)}"
    if root.flow_style:
        at = root.end_mark.index - 1
        yield at, at, f", {pair}"
        return
    line = " " * root.start_mark.column + pair + doc.newline
    end = _span(matter, root)[1]
    after_last = _line_end(matter, end)
    yield after_last, after_last, line
    yield len(matter), len(matter), line


def _removals(doc: Document, entry: Entry) -> Iterator[_Splice]:
    matter = doc.matter
    start, end = entry.key_node.start_mark.index, _span(matter, entry.value)[1]
    if doc.root.flow_style:
        yield from _without_comma(matter, start, end)
        return
    line_start, after = matter.rfind("\n", 0, start) + 1, _line_end(matter, max(end, start))
    yield line_start, after, ""
    blank = _BLANK_LINES.match(matter, after)
    if blank:  # they would become part of a text above that keeps its blank lines
        yield line_start, blank.end(), ""
    comments = _ITS_OWN_COMMENTS.match(matter, after)
    if comments:  # so would comments that are indented below the key: they go with it
        yield line_start, comments.end(), ""


def _without_comma(matter: str, start: int, end: int) -> Iterator[_Splice]:
    before = matter[:start].rstrip()
    if before.endswith(","):
        yield len(before) - 1, end, ""
    after = re.compile(r"\s*,\s*").match(matter, end)
    if after:
        yield start, after.end(), ""
    yield start, end, ""


def _item_additions(doc: Document, entry: Entry, item: str) -> Iterator[_Splice]:
    matter, node = doc.matter, entry.value
    start, end = _span(matter, node)
    new = render(item)
    if isinstance(node, yaml.ScalarNode):
        if start != end:
            yield start, end, f"[{matter[start:end]}, {new}]"
        return
    if not isinstance(node, yaml.CollectionNode):
        return
    if node.flow_style:
        at = _span(matter, node.value[-1])[1] if node.value else start + 1
        yield at, at, f", {new}" if node.value else new
        return
    last = node.value[-1]
    dash = _DASH.fullmatch(matter, matter.rfind("\n", 0, last.start_mark.index) + 1, last.start_mark.index)
    if dash:
        at = _line_end(matter, end)
        yield at, at, dash.group() + new + doc.newline


def _item_removals(doc: Document, node: yaml.SequenceNode, index: int) -> Iterator[_Splice]:
    matter = doc.matter
    start, end = _span(matter, node.value[index])
    if node.flow_style:
        yield from _without_comma(matter, start, end)
    elif len(node.value) > 1:
        yield matter.rfind("\n", 0, start) + 1, _line_end(matter, end), ""
