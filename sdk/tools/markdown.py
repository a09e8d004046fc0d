"""Docstrings, signatures and type hints as Markdown, for `reference.py`. Nothing of the SDK lies below."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from typing import Any, Final

__all__ = ["cell", "fenced", "flat", "said_of_variables", "signature", "simple", "text", "wrapped"]

_ALIASES: Final = (
    (re.compile(r"\b(?:base|lifecycle|manifest|wire)\."), ""),
    (re.compile(r"\b(?:OrDefault|ClassVar)\[(.*)\]"), r"\1"),
    (re.compile(r"\bAnnotated\[(\w+), \w+\(\w+\)\]"), r"\1"),
    (re.compile(r"\bSparseList\["), "list["),
    (re.compile(r"\bSparseMap\["), "dict[str, "),
    (re.compile(r"\bSubjectId\b"), "str"),
    (re.compile(r"\bTimestamp\b"), "datetime"),
    (re.compile(r"\bJson\b"), "Any"),
    (re.compile(r"\bU?[Ii]nt(?:8|16|32|64)\b"), "int"),
)
_WIDTH: Final = 120


def said_of_variables(source: str) -> dict[str, str]:
    """The texts below the variables of a module, or of a class that is all of `source`."""
    body = ast.parse(textwrap.dedent(source)).body
    if len(body) == 1 and isinstance(body[0], ast.ClassDef):
        body = body[0].body
    said = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                said[name] = " ".join(text.split())
    return said


def signature(function: Any) -> str:
    """As it is written, without the quotes that postponed annotations come in."""
    return simple(re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function))))


def simple(hint: str) -> str:
    """A type as a reader needs it: what an alias is for reading and writing is left out."""
    for pattern, plain in _ALIASES:
        hint = pattern.sub(plain, hint)
    return hint


def flat(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").split())


def text(value: Any) -> str:
    """A docstring as Markdown: its paragraphs wrapped, what is indented as code."""
    parts: list[str] = []
    for paragraph in (inspect.getdoc(value) or "").split("\n\n"):
        if paragraph.startswith("    "):
            parts.append(fenced(textwrap.dedent(paragraph), "python"))
        else:
            parts.append(wrapped(paragraph))
    return "\n\n".join(parts)


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()), _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text.strip()}\n```"
