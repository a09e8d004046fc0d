"""An author's own methods and tools: what the type hints promise on the wire, and what is refused before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from animus_protocol.errors import InvalidParams, RpcError
from animus_protocol.models.base import WireModel
from animus_sdk import Plugin, SubjectBackend, method, tool
from animus_sdk.testing import Harness


class Order(WireModel):
    item: str
    amount: int = 1


class Shop(Plugin):
    name = "shop"
    version = "1"

    @tool
    def search(self, text: str, limit: int = 10, tags: list[str] | None = None) -> dict[str, Any]:
        """Find items by their text."""
        return {"text": text, "limit": limit, "tags": tags}

    @method("shop/order")
    async def order(self, order: Order) -> Order:
        return order.model_copy(update={"amount": order.amount + 1})

    @method("shop/odd_names")
    def odd_names(self, json: str, schema: int, model_config: bool, copy: float = 0.5) -> list[Any]:
        return [json, schema, model_config, copy]

    @method("shop/nothing")
    def nothing(self) -> None:
        """Takes nothing, gives nothing."""


async def test_arguments_are_the_params_by_name_with_their_defaults(tmp_path: Path) -> None:
    async with Harness(Shop, project_root=tmp_path) as host:
        assert await host.request("search", {"text": "a"}) == {"text": "a", "limit": 10, "tags": None}
        full = {"text": "a", "limit": 2, "tags": ["x"]}
        assert await host.request("search", {**full, "unknown": 1}) == full
        assert await host.request("shop/order", {"item": "pen"}) == {"item": "pen", "amount": 2}
        odd = {"json": "j", "schema": 1, "model_config": True}
        assert await host.request("shop/odd_names", odd) == ["j", 1, True, 0.5]
        assert await host.request("shop/nothing") is None


@pytest.mark.parametrize(
    ("method", "params", "paths"),
    [
        ("search", {}, ["text"]),
        ("search", {"text": 1, "limit": "many"}, ["text", "limit"]),
        ("shop/order", {"amount": None}, ["item", "amount"]),
        ("shop/odd_names", {"json": "j", "schema": 1}, ["model_config"]),
    ],
)
async def test_params_that_do_not_fit_are_refused_with_every_issue(
    tmp_path: Path, method: str, params: Any, paths: list[str]
) -> None:
    async with Harness(Shop, project_root=tmp_path) as host:
        with pytest.raises(InvalidParams) as refused:
            await host.request(method, params)
        assert [issue["path"] for issue in refused.value.data["issues"]] == paths
        assert refused.value.message.startswith(f"{method}: {paths[0]}: ")


async def test_initialize_describes_the_tools_and_the_manifest_only_names_them(tmp_path: Path) -> None:
    async with Harness(Shop, project_root=tmp_path) as host:
        (described,) = host.capabilities.mcp_tools
        assert (described.name, described.description) == ("search", "Find items by their text.")
        schema = described.input_schema
        assert (schema["type"], schema["required"]) == ("object", ["text"])
        assert schema["properties"]["limit"] == {"default": 10, "title": "Limit", "type": "integer"}
        assert set(host.capabilities.methods) == {"search", "shop/order", "shop/odd_names", "shop/nothing"}
        assert host.manifest.supports_mcp is True
        assert set(host.manifest.capabilities) == set(host.capabilities.methods)


def test_a_plugin_without_tools_does_not_claim_any() -> None:
    class Plain(Plugin):
        name = "plain"
        version = "1"

    assert Plain.manifest().supports_mcp is None
    assert Plain.capabilities().mcp_tools == []


def test_mistakes_in_own_methods_are_named_with_what_to_write() -> None:
    class Wrong(SubjectBackend):
        name = "wrong"
        version = "1"
        subject_kinds = ("ticket",)

        @method("a/b")
        def one(self, untyped) -> None: ...  # type: ignore[no-untyped-def]  # this is the mistake

        @method("a/b")
        def two(self, *many: int) -> None: ...

        @method("ticket/delete")
        def three(self) -> None: ...

        @method("shutdown")
        def four(self) -> None: ...

        @staticmethod
        @method("a/static")
        def five(number: int) -> None: ...

        @method("a/class")
        @classmethod
        def six(cls) -> None: ...

    mistake_text = "\n".join(Wrong.mistakes())
    assert "Wrong.one: the parameter untyped has no type: write untyped: str" in mistake_text
    assert "Wrong.two: another function is marked as 'a/b'" in mistake_text
    assert "Wrong.two: many cannot be read from params" in mistake_text
    assert "Wrong.three: 'ticket/delete' is a method of the protocol" in mistake_text
    assert "Wrong.four: 'shutdown' is a method of the protocol" in mistake_text
    for word in ("five", "six"):
        assert f"Wrong.{word} is a static method or a class method: take that off, and write self first" in mistake_text
    with pytest.raises(TypeError, match="write @method"):
        method(Wrong.one)  # type: ignore[arg-type]  # this is the mistake


async def test_a_method_that_fails_says_nothing_of_its_inside(tmp_path: Path) -> None:
    class Broken(Plugin):
        name = "broken"
        version = "1"

        @tool
        def divide(self, by: int) -> float:
            return 1 / by

    async with Harness(Broken, project_root=tmp_path) as host:
        assert await host.request("divide", {"by": 2}) == 0.5
        with pytest.raises(RpcError, match="internal error"):
            await host.request("divide", {"by": 0})
