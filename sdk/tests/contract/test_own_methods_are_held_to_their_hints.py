"""What an author's own method or tool gives is held to its return hint, as strictly as JSON tells values apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from animus_protocol.errors import RpcError
from animus_sdk import Plugin, SubjectFilter, inline, method, tool
from animus_sdk.testing import Harness

NAN = float("nan")


class Strange:
    """A class that neither pydantic nor JSON knows."""


class Sized(Protocol):
    """A hint that cannot be checked."""

    size: int


class Desk(Plugin):
    """One method a hint; `value` is what each of them gives."""

    name, version = "desk", "1"
    value: Any = None

    @method("desk/number")
    @inline
    def number(self) -> int:
        return self.value

    @method("desk/texts")
    def texts(self) -> list[str]:
        return self.value

    @method("desk/sequence")
    async def sequence(self) -> Sequence[float]:
        return self.value

    @method("desk/nothing")
    def nothing(self) -> None:
        return self.value

    @method("desk/row")
    def row(self) -> dict[str, int] | None:
        return self.value

    @method("desk/model")
    def model(self) -> SubjectFilter:
        return self.value

    @method("desk/drawn")
    def drawn(self) -> Iterator[str]:
        yield from self.value

    @method("desk/drawn-async")
    async def drawn_async(self) -> AsyncIterator[str]:
        for item in self.value:
            yield item

    @method("desk/iterable")
    def iterable(self) -> Iterable[str]:
        return self.value

    @method("desk/later")
    def later(self) -> Awaitable[int]:
        return self.awaited()

    async def awaited(self) -> Any:
        return self.value

    @tool
    def anything(self) -> Any:
        return self.value

    @tool
    def without_hint(self):  # type: ignore[no-untyped-def]  # the form that is meant
        return self.value

    @method("desk/sized")
    def sized(self) -> Sized:
        return self.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("desk/number", 3),
        ("desk/texts", ["a"]),
        ("desk/sequence", (1, 2.5)),
        ("desk/nothing", None),
        ("desk/row", {"id": 1}),
        ("desk/row", None),
        ("desk/model", SubjectFilter(limit=3)),
        ("desk/drawn", ["a", "b"]),
        ("desk/drawn-async", ["a", "b"]),
        ("desk/iterable", ("a",)),
        ("desk/iterable", {"a"}),
        ("desk/later", 3),
        ("anything", {"any": ["thing"]}),
        ("without_hint", iter([1, 2])),
        ("desk/sized", 3),
    ],
    ids=lambda value: str(value).partition(" object at")[0][:40],
)
async def test_what_the_hint_allows_is_sent(name: str, value: Any, tmp_path: Path) -> None:
    plugin = Desk()
    plugin.value = value
    async with Harness(plugin, project_root=tmp_path) as host:
        await host.request(name)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("desk/number", "3", "Desk.number gave '3', expected int: "),
        ("desk/number", True, "Desk.number gave True, expected int: "),
        ("desk/number", None, "Desk.number gave None, expected int: "),
        ("desk/number", NAN, "Desk.number gave nan, expected int: "),
        ("desk/texts", {"a"}, "Desk.texts gave {'a'}, expected list[str]: "),
        ("desk/texts", ["a", 5], "Desk.texts gave ['a', 5], expected list[str]: 1: "),
        ("desk/sequence", [1, NAN], "Desk.sequence gave [1, nan], expected Sequence[float]: NaN and infinity"),
        ("desk/nothing", 1, "Desk.nothing gave 1, expected None: "),
        ("desk/row", {"id": "1"}, "Desk.row gave {'id': '1'}, expected dict[str, int] | None: "),
        ("desk/model", {"limit": 3}, "Desk.model gave {'limit': 3}, expected a SubjectFilter"),
        ("desk/drawn", ["a", 5], "Desk.drawn gave ['a', 5], expected Iterator[str]: 1: "),
        ("desk/drawn-async", ["a", 5], "Desk.drawn_async gave ['a', 5], expected AsyncIterator[str]: 1: "),
        ("desk/iterable", ["a", 5], "Desk.iterable gave ['a', 5], expected Iterable[str]: 1: "),
        ("desk/later", "3", "Desk.later gave '3', expected int: "),
        ("anything", {"deep": [float("inf")]}, "Desk.anything gave {'deep': [inf]}, expected Any: NaN and infinity"),
        ("without_hint", Strange(), "Desk.without_hint gave <"),
    ],
    ids=lambda value: str(value).partition(" object at")[0][:40],
)
async def test_what_the_hint_does_not_allow_is_refused(
    name: str, value: Any, sentence: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = Desk()
    plugin.value = value
    async with Harness(plugin, project_root=tmp_path) as host:
        with pytest.raises(RpcError) as caught:
            await host.request(name)
    assert caught.value.code == -32603
    assert caught.value.message.startswith(sentence)
    assert caught.value.message in caplog.text


async def test_the_check_of_a_hint_is_built_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = Desk()
    plugin.value = 3
    async with Harness(plugin, project_root=tmp_path) as host:
        monkeypatch.delattr("animus_sdk.result_hints.TypeAdapter")
        for _ in range(3):
            assert await host.request("desk/number") == 3
