"""An error is one class on both sides of the wire, and a class of one name means one thing everywhere."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from animus_protocol.errors import (
    Cancelled,
    Code,
    InvalidParams,
    MethodNotFound,
    NotFound,
    NotSupported,
    PluginError,
    RpcError,
    Unavailable,
)

ROOT = Path(__file__).parents[2]
RAISED: list[tuple[RpcError, int, str | None, str]] = [
    (NotFound("task T-1"), -32602, "not_found", "not found: task T-1"),
    (InvalidParams("limit: 0"), -32602, "invalid_request", "limit: 0"),
    (NotSupported("labels"), -32001, "not_supported", "not supported: labels"),
    (Unavailable("no answer"), -32603, "unavailable", "no answer"),
    (PluginError("odd"), -32603, "internal", "odd"),
    (MethodNotFound("a/b"), -32601, None, "method not found: a/b"),
    (Cancelled(), -32002, None, "request cancelled"),
]


@pytest.mark.parametrize(("error", "code", "category", "message"), RAISED, ids=lambda value: type(value).__name__)
def test_what_is_raised_here_is_received_there(error: RpcError, code: int, category: str | None, message: str) -> None:
    assert (error.code, error.category, error.message, str(error)) == (code, category, message, message)
    received = RpcError.received(error.code, error.message, error.data)
    assert type(received) is type(error)
    assert (received.code, received.message, received.data) == (error.code, error.message, error.data)
    assert received.why == error.why == message.removeprefix(type(error).prefix)


def test_an_error_that_was_received_knows_what_is_missing_apart_from_the_words_of_its_class() -> None:
    assert RpcError.received(-32602, "not found: task T-1", {"category": "not_found"}).why == "task T-1"
    assert RpcError.received(-32602, "gone last week", {"category": "not_found"}).why == "gone last week"


@pytest.mark.parametrize("category", ["not_found", "unavailable", "internal", "invalid_request", "not_supported", None])
@pytest.mark.parametrize("code", [Code.METHOD_NOT_FOUND, Code.NOT_SUPPORTED, Code.CANCELLED])
def test_a_code_with_a_meaning_of_its_own_keeps_it_whatever_the_category_says(code: Code, category: str | None) -> None:
    plain = RpcError.received(code, "x")
    assert type(RpcError.received(code, "x", {"category": category})) is type(plain) is not RpcError


@pytest.mark.parametrize("code", [-32099, Code.TIMEOUT, Code.INVALID_REQUEST, 7])
def test_any_other_code_stays_a_plain_error_and_shows_its_code(code: int) -> None:
    error = RpcError.received(code, "no quota", {"category": "unavailable"})
    assert (type(error), str(error), error.category) == (RpcError, f"no quota ({int(code)})", "unavailable")


def test_an_exception_as_the_message_is_told_by_its_text() -> None:
    assert InvalidParams(ValueError("so not")).message == "so not"  # type: ignore[arg-type]  # as untyped code does it


def classes_in(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """Every class, wherever it is; expressions, which are most of a tree and hold none, are left out."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ClassDef):
            yield node
        blocks = (getattr(node, field, ()) for field in ("body", "orelse", "finalbody", "handlers", "cases"))
        waiting += [below for block in blocks for below in (block if isinstance(block, list) else ())]


def test_no_two_classes_of_errors_have_one_name() -> None:
    classes: list[tuple[str, set[str], str]] = []
    for source in [*ROOT.glob("*/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        if "{{" in str(source):
            continue  # a template is Python only once it is rendered
        for node in classes_in(ast.parse(source.read_text())):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            classes.append((node.name, bases, f"{source.relative_to(ROOT)}:{node.lineno}"))
    kinds = {name: value for name, value in vars(builtins).items() if isinstance(value, type)}
    errors = {name for name, kind in kinds.items() if issubclass(kind, BaseException)}
    while more := {name for name, bases, _ in classes if bases & errors} - errors:
        errors |= more
    assert {"RpcError", "AnimusError", "ConformanceError", "TemplatesError", "ScriptError"} <= errors
    places: dict[str, list[str]] = defaultdict(list)
    for name, bases, place in classes:
        if bases & errors:
            places[name].append(place)
    assert not {name: found for name, found in places.items() if len(found) > 1}
