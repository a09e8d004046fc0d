"""A dispatcher behind a real peer: typed params in, typed results and translated errors out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.errors import InvalidParams, MethodNotFound, NotSupported, PluginError, RpcError
from animus_protocol.models.base import Method, WireModel
from animus_protocol.peer import Peer


class Sum(WireModel):
    left: int
    right: int = 0


class Total(WireModel):
    total: int


ADD = Method("sum/add", Sum, Total, "test")
SEEN: Method[Sum, None] = Method("sum/seen", Sum, None, "test")


class Overflow(Exception):
    """An error of the application."""


async def add(params: Sum, asker: Asker) -> Total:
    if params.left == 99:
        raise Overflow("too much")
    if params.left == 98:
        raise NotSupported("98")
    if params.left == 97:
        raise ValueError("secret")
    return Total(total=params.left + params.right)


def translated(error: Exception) -> RpcError | None:
    return RpcError(-31000, str(error)) if isinstance(error, Overflow) else None


def table(on_cancelled: Callable[[Peer, int | str], None] = lambda _peer, _request_id: None) -> Dispatcher:
    made = Dispatcher(translated, on_cancelled)
    made.answer(ADD, add)
    return made


async def test_typed_params_reach_the_function_and_its_result_comes_back(wire: Any) -> None:
    one, other = wire.peer(0), wire.peer(1, handler=table())
    assert await one.call(ADD, Sum(left=2, right=3), timeout_s=5) == Total(total=5)
    assert table().methods == ("sum/add",)
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize(
    ("left", "kind", "code"), [(99, RpcError, -31000), (98, NotSupported, -32001), (97, PluginError, -32603)]
)
async def test_errors_are_translated_once_and_the_unknown_ones_stay_internal(
    wire: Any, left: int, kind: type[RpcError], code: int
) -> None:
    one, other = wire.peer(0), wire.peer(1, handler=table())
    with pytest.raises(RpcError) as caught:
        await one.call(ADD, Sum(left=left), timeout_s=5)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert "secret" not in str(caught.value)
    await one.aclose()
    await other.aclose()


async def test_an_unknown_method_is_not_found(wire: Any) -> None:
    one, other = wire.peer(0), wire.peer(1, handler=table())
    with pytest.raises(MethodNotFound, match="sum/subtract"):
        await one.call(ADD.named("sum/subtract"), Sum(left=1), timeout_s=5)
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize("params", [b"{}", b"[]", b'{"left":"x"}', b"null", b'"text"', b'{"left":1,"right":{}}'])
async def test_params_that_do_not_fit_are_refused_with_one_issue_a_mistake(wire: Any, params: bytes) -> None:
    one, other = wire.peer(0), wire.peer(1, handler=table())
    with pytest.raises(InvalidParams) as caught:
        await one.call_raw("sum/add", params, timeout_s=5)
    assert caught.value.category == "invalid_request"
    [issue] = caught.value.data["issues"]
    assert set(issue) == {"path", "message", "code"}
    await one.aclose()
    await other.aclose()


async def test_notifications_are_typed_and_those_that_do_not_fit_mean_nothing(wire: Any) -> None:
    received: list[int] = []
    made = table()
    made.on_notification(SEEN, lambda params, peer: received.append(params.left))
    one, other = wire.peer(0), wire.peer(1, handler=made)
    one.notify(SEEN, Sum(left=1))
    one.notify_raw("sum/seen", json.dumps({"left": []}).encode())
    one.notify_raw("nobody/hears")
    one.notify(SEEN, Sum(left=2))
    await one.call(ADD, Sum(left=1), timeout_s=5)
    assert received == [1, 2]
    await one.aclose()
    await other.aclose()


async def test_a_cancellation_after_the_answer_is_told_with_the_connection_it_came_from(wire: Any) -> None:
    cancelled: asyncio.Queue[tuple[Peer, int | str]] = asyncio.Queue()
    made = table(lambda peer, request_id: cancelled.put_nowait((peer, request_id)))
    raw, other = wire.raw(), wire.peer(0, handler=made)
    await raw.send(method="$/cancelRequest", params={"id": "of a stream that is unknown here"})
    assert await cancelled.get() == (other, "of a stream that is unknown here")
    await raw.send(id="s", method="sum/add", params={"left": 1})
    assert (await raw.line())["result"] == {"total": 1}
    await raw.send(method="$/cancelRequest", params={"id": "s"})
    assert await cancelled.get() == (other, "s")
    await other.aclose()
    raw.close()
