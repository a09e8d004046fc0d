"""Two readers of YAML, one of them quick: what the quick one reads is what the careful one reads, line by line."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
import yaml

from animus_core.workflow.yaml_readers import Loader, quickly_read

INLINE = ["a", "b c", "1", "0x1F", "1e3", "yes", "~", "null", "<<", "'q'", "'a''b'", '"d"', '"\\n\\x41"', '"\\u263a"']
INLINE += [
    "[a, b]",
    "[a,]",
    "[a: b]",
    "{k: v}",
    "{a:1}",
    "{a, b: [c]}",
    '{"a":b}',
    "[]",
    "{}",
    "*a",
    "&a b",
    "&a",
    "a: b",
]
INLINE += ["- x", "- - a", "-", ":", ":a", "a:", "@", "`", "# c", "a # c", "a#c", "é", "👍", "\xa0", "\ufffe", "\0"]
INLINE += ["a?", "!b", "%d", "\t"]
BLOCK = [
    "|\n      t\n      u",
    ">\n      t\n\n      u",
    "|-\n      t",
    "|2+\n     x\n\n",
    "a\n   b",
    '"a\\\n  b"',
    "|#",
]
KEYS = ["k: ", "l: ", "m:", "'n': ", '"o" : ', "? p\n: ", "k:  "]
ATOMS = [*INLINE, *KEYS, *"'\"\n,:{}[]-|>#\\\r&*~? ", "\n  ", "\n    ", "---\n", "\n...\n", *string.ascii_lowercase[:4]]


def lines(rng: random.Random) -> str:
    """A file as people write it, nearly: indented keys and values, some of which are no YAML."""
    found, depth = [], 0
    for number in range(rng.randint(1, 7)):
        key = rng.choice(("- ", f"k{number}: ", f"k{number}: ", f"k{number}:", rng.choice(KEYS)))
        found.append("  " * depth + key + rng.choice((rng.choice(INLINE), rng.choice(INLINE), rng.choice(BLOCK), "")))
        depth = max(0, depth + rng.choice((-1, 0, 0))) if found[-1][-1] != ":" else depth + 1
    return rng.choice(("\n", "\n", "\r\n")).join(found) + rng.choice(("", "\n", " ", "\n# c"))


def soup(rng: random.Random) -> str:
    return "".join(rng.choices(ATOMS, k=rng.choice((2, 3, 4, 6, 8, 12))))


def tree(node: Any, deep: int = 20) -> Any:
    """A node with all that is read from it, down to a depth: an alias may lead around in a circle."""
    if not isinstance(node, yaml.Node) or not deep:
        return node if isinstance(node, str) else None
    inside = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    place = (type(node).__name__, node.tag, node.start_mark.line, node.start_mark.column)
    return place, [tree(part, deep - 1) for part in inside] if isinstance(inside, list) else inside


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML has no libyaml, and then there is one reader")
@pytest.mark.parametrize("write", [lines, soup])
def test_what_is_read_quickly_is_what_is_read_carefully(write: Any) -> None:
    rng, read = random.Random(7), 0
    for _ in range(6000):
        text = write(rng)
        quick = quickly_read(text)
        if quick is not None:
            read += 1
            assert tree(quick) == tree(Loader(text).get_single_node()), text
    assert read > 400, read


@pytest.mark.parametrize(
    "text",
    [
        "a:\tb\n",
        "\ufeffa: b\n",
        "a: |#\n",
        "? a\n: b\n",
        "a: !x b\n",
        "%TAG ! tag:x,1\n---\na: b\n",
        "a: 'b\x85'\n",
        "a: [\n",
        "",
        "a",
    ],
)
def test_what_two_readers_may_see_otherwise_is_read_carefully(text: str) -> None:
    assert quickly_read(text) is None


@pytest.mark.parametrize("read", [quickly_read, lambda text: Loader(text).get_single_node()], ids=["quick", "careful"])
@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("- a\n- " + "[" * 100_000, "nested deeper than 50 levels", 1),
        ("a:\n" + "- x\n" * 60_000, "more than 50000 values", 49_998),
    ],
)
def test_either_reader_stops_at_the_bounds_and_says_where(read: Any, text: str, problem: str, line: int) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        read(text)
    assert caught.value.problem == problem
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line == line
