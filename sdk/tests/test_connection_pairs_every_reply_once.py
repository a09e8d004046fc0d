"""Two connections joined by nothing but bytes: whatever the order of events, every waiter ends once and in one way."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from animus_protocol.connection import Cancel, Connection, Dropped, Incoming, Notification, Reply, Request
from animus_protocol.errors import Cancelled, Code, FrameTooLarge, InvalidParams, MethodNotFound, NotSupported, RpcError
from animus_protocol.models.base import encode


def only(incoming: list[Incoming[Any]]) -> Any:
    [single] = incoming
    return single


def frame(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n"


class Side:
    """One connection, its outgoing bytes, and what a user of it knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection: Connection[str] = Connection()
        self.out = b""
        self.waiting: dict[str, int] = {}
        self.ends: Counter[str] = Counter()
        self.asked: list[Request] = []
        self.answered: set[int | str] = set()
        self.delivered: list[int] = []
        self.cancelled: list[int | str] = []
        self.dropped: list[str] = []
        self.over = False

    def take(self, incoming: list[Incoming[str]]) -> None:
        for event in incoming:
            match event:
                case Request():
                    assert event.id not in [request.id for request in self.asked]
                    self.asked.append(event)
                case Notification(_, params):
                    self.delivered.append(params["number"])
                case Cancel(request_id):
                    self.cancelled.append(request_id)
                case Reply(waiter, result, error):
                    said = result if error is None else error.message
                    assert said == f"to {waiter}", "a reply was given to somebody else"
                    del self.waiting[waiter]
                    self.ends[waiter] += 1
                case Dropped(reason, _):
                    self.dropped.append(reason)


class TwoSides(RuleBasedStateMachine):
    """Requests, notifications, answers, cancellations, chaos and the end of input in any order and any chunks."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side("a"), Side("b"))
        self.count = 0
        self.sent: tuple[list[int], list[int]] = ([], [])
        self.requests: tuple[list[str], list[str]] = ([], [])
        self.chaos = 0

    @rule(who=st.integers(0, 1))
    def ask(self, who: int) -> None:
        side = self.sides[who]
        if side.over:
            return
        self.count += 1
        waiter = f"{side.name}{self.count}"
        number, data = side.connection.request("do/it", encode({"for": waiter}), waiter)
        side.waiting[waiter] = number
        side.out += data
        self.requests[who].append(waiter)

    @rule(who=st.integers(0, 1))
    def tell(self, who: int) -> None:
        self.count += 1
        self.sides[who].out += self.sides[who].connection.notification("note", encode({"number": self.count}))
        self.sent[who].append(self.count)

    @rule(who=st.integers(0, 1), which=st.integers(0, 50), refuse=st.booleans())
    def answer(self, who: int, which: int, refuse: bool) -> None:
        side = self.sides[who]
        if not side.asked:
            return
        request = side.asked[which % len(side.asked)]
        said = f"to {request.params['for']}"
        if refuse:
            data = side.connection.error(request.id, RpcError(Code.INTERNAL_ERROR, said))
        else:
            data = side.connection.result(request.id, encode(said))
        assert (data is None) == (request.id in side.answered), "a second answer was given, or the first was refused"
        side.answered.add(request.id)
        side.out += data or b""

    @rule(who=st.integers(0, 1), which=st.integers(0, 50))
    def cancel(self, who: int, which: int) -> None:
        side = self.sides[who]
        if not side.waiting:
            return
        waiter = sorted(side.waiting)[which % len(side.waiting)]
        number = side.waiting.pop(waiter)
        data = side.connection.cancel(number)
        assert data is not None
        assert json.loads(data)["params"] == {"id": number}
        assert side.connection.cancel(number) is None
        side.out += data
        side.ends[waiter] += 1

    @rule(who=st.integers(0, 1), size=st.integers(1, 400))
    def deliver(self, who: int, size: int) -> None:
        side = self.sides[who]
        chunk, side.out = side.out[:size], side.out[size:]
        self.sides[1 - who].take(self.sides[1 - who].connection.receive(chunk))

    @rule(
        who=st.integers(0, 1),
        junk=st.binary(max_size=20).map(lambda data: data.replace(b"\n", b""))
        | st.sampled_from(
            [
                b'{"jsonrpc":"2.0","id":12345,"result":1}',
                b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what"}}',
                b'{"jsonrpc":"2.0","id":"1","result":1}',
                b'{"jsonrpc":"2.0","id":1.0,"result":1}',
                b'{"jsonrpc":"2.0","id":true,"result":1}',
                b'{"jsonrpc":"2.0","id":[1],"method":"x"}',
                b'{"jsonrpc":"2.0","id":true,"method":"x"}',
                b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{}}}',
                b'{"jsonrpc":"2.0","method":"$/cancelRequest"}',
                b'{"jsonrpc":"2.0","method":7}',
                b'{"jsonrpc":"2.0"}',
                b"[]",
                b"1",
                b'{"jsonrpc":"2.0","id":1,"result":{"cut":',
            ]
        ),
    )
    def junk(self, who: int, junk: bytes) -> None:
        side = self.sides[who]
        if side.out.endswith(b"\n") or not side.out:  # between frames: what is in `out` was not cut yet
            side.out += b"\n" + junk + b"\n"
            self.chaos += 1

    @rule(who=st.integers(0, 1), which=st.integers(0, 50))
    def answer_again(self, who: int, which: int) -> None:
        """A raw second reply, past the connection that would refuse to write it."""
        side = self.sides[who]
        known = sorted(side.answered, key=str)
        if known and (side.out.endswith(b"\n") or not side.out):
            side.out += b"\n" + frame(id=known[which % len(known)], result="to nobody")

    @precondition(lambda self: not all(side.over for side in self.sides))
    @rule(who=st.integers(0, 1))
    def end(self, who: int) -> None:
        """The other side hears nothing more of this one."""
        deaf = self.sides[1 - who]
        if deaf.over:
            return
        self.deliver(who, len(self.sides[who].out) or 1)
        deaf.take(deaf.connection.end())
        deaf.over = True
        speaker = self.sides[who]
        answered = {request.params["for"] for request in speaker.asked if request.id in speaker.answered}
        for waiter in deaf.connection.abandon():
            assert waiter not in answered, "a reply that had arrived was lost"
            del deaf.waiting[waiter]
            deaf.ends[waiter] += 1
        assert deaf.connection.abandon() == []

    @invariant()
    def the_counts_agree(self) -> None:
        for side in self.sides:
            assert side.connection.waiting == len(side.waiting)
            assert side.connection.open_requests == len(side.asked) - len(side.answered)
            assert side.connection.dropped_frames == len(side.dropped)
            assert max(side.ends.values(), default=0) <= 1

    def teardown(self) -> None:
        for who in (0, 1):
            self.end(who)
        for who, side in enumerate(self.sides):
            other = self.sides[1 - who]
            assert side.waiting == {}
            assert side.ends == Counter(self.requests[who]), "a waiter ended never, or more than once"
            requested = [request.params["for"] for request in other.asked]
            assert requested == self.requests[who][: len(requested)], "a request was lost, repeated or overtaken"
            assert other.delivered == self.sent[who][: len(other.delivered)], (
                "a notification was lost, repeated or overtaken"
            )


@pytest.mark.timeout(300)  # a failure takes its time to be made small
def test_any_order_of_events_ends_every_waiter_exactly_once() -> None:
    run_state_machine_as_test(TwoSides, settings=settings(deadline=None, max_examples=60, stateful_step_count=40))


@settings(deadline=None, max_examples=100)
@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 60), max_size=20))
def test_replies_in_any_order_and_any_chunks_find_their_waiters(order: list[int], sizes: list[int]) -> None:
    connection: Connection[str] = Connection()
    for number in range(1, 9):
        assert connection.request("m", b"{}", f"waiter {number}")[0] == number
    data = b"".join(frame(id=number, result=f"waiter {number}") for number in order)
    replies = []
    for size in [*sizes, len(data)]:
        replies += connection.receive(data[:size])
        data = data[size:]
    assert replies == [Reply(f"waiter {number}", f"waiter {number}", None) for number in order]
    assert connection.waiting == 0


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "code", "message", "data"]),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_no_json_value_makes_receive_raise_or_ends_the_connection(value: Any) -> None:
    connection: Connection[str] = Connection()
    number, _ = connection.request("m", b"{}", "waiter")
    for event in connection.receive(json.dumps(value).replace("NaN", "0").encode() + b"\n"):
        if isinstance(event, Request):
            assert connection.error(event.id, Cancelled()) is not None
    if connection.waiting:
        assert only(connection.receive(frame(id=number, result=1))) == Reply("waiter", 1, None)


def test_late_repeated_and_unknown_replies_are_dropped_and_counted_by_kind() -> None:
    connection: Connection[str] = Connection()
    first, _ = connection.request("m", b"{}", "w")
    second, _ = connection.request("m", b"{}", "w")
    connection.receive(frame(id=first, result=1))
    connection.cancel(second)
    assert only(connection.receive(frame(id=first, result=2))).reason == "a late or repeated reply"
    assert only(connection.receive(frame(id=second, result=2))).reason == "a late or repeated reply"
    assert only(connection.receive(frame(id=99, result=2))).reason == "a reply to an unknown id"
    assert connection.dropped_frames == 3


def test_a_waiter_may_be_any_value_even_none() -> None:
    connection: Connection[None] = Connection()
    first, _ = connection.request("m", b"{}", None)
    second, _ = connection.request("m", b"{}", None)
    assert connection.cancel(first) is not None
    assert only(connection.receive(frame(id=second, result=1))) == Reply(None, 1, None)


def test_an_id_in_use_is_not_asked_twice_but_may_be_used_again_after_the_answer() -> None:
    connection: Connection[str] = Connection()
    assert only(connection.receive(frame(id=7, method="m"))) == Request(7, "m", {})
    assert isinstance(only(connection.receive(frame(id=7, method="m"))), Dropped)
    assert only(connection.receive(frame(id="7", method="m"))) == Request("7", "m", {})
    assert connection.result(7, b"1") is not None
    assert only(connection.receive(frame(id=7, method="m"))) == Request(7, "m", {})


def test_a_request_without_an_id_or_with_null_is_a_notification_and_null_params_are_empty() -> None:
    connection: Connection[str] = Connection()
    assert only(connection.receive(frame(method="m"))) == Notification("m", {})
    assert only(connection.receive(frame(id=None, method="m", params=None))) == Notification("m", {})
    assert only(connection.receive(frame(id=1, method="m", params=None))) == Request(1, "m", {})
    assert only(connection.receive(frame(method="$/cancelRequest", params={"id": 1}))) == Cancel(1)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-32601, MethodNotFound),
        (-32001, NotSupported),
        (-32602, InvalidParams),
        (-32002, Cancelled),
        (-32603, RpcError),
        (-31999, RpcError),
    ],
)
def test_an_error_reply_comes_as_the_class_of_its_code(code: int, kind: type[RpcError]) -> None:
    connection: Connection[str] = Connection()
    number, _ = connection.request("m", b"{}", "w")
    reply = only(connection.receive(frame(id=number, error={"code": code, "message": "no", "data": {"category": "x"}})))
    assert type(reply.error) is kind
    assert (reply.error.code, reply.error.message, reply.error.category) == (code, "no", "x")


@pytest.mark.parametrize("error", ["text", 7, [1], {}, {"code": "x", "message": 1}, {"code": True}, {"code": 10**4000}])
def test_a_malformed_error_still_fails_the_call(error: Any) -> None:
    connection: Connection[str] = Connection()
    number, _ = connection.request("m", b"{}", "w")
    reply = only(connection.receive(frame(id=number, error=error)))
    assert reply.waiter == "w"
    assert isinstance(reply.error, RpcError)


def test_a_reply_with_a_null_error_is_a_result() -> None:
    connection: Connection[str] = Connection()
    number, _ = connection.request("m", b"{}", "w")
    assert only(connection.receive(frame(id=number, error=None, result=[1]))) == Reply("w", [1], None)


def test_what_is_too_large_is_refused_before_anything_is_remembered() -> None:
    connection: Connection[str] = Connection(200)
    with pytest.raises(FrameTooLarge):
        connection.request("m", encode("x" * 200), "w")
    with pytest.raises(FrameTooLarge):
        connection.notification("m", encode("x" * 200))
    assert (connection.waiting, connection.request("m", b"{}", "w")[0]) == (0, 1)
    connection.receive(frame(id=1, method="m"))
    with pytest.raises(FrameTooLarge):
        connection.result(1, encode("x" * 200))
    assert connection.result(1, b"1") is not None


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RpcError(-32603, "why", {"detail": "x" * 5000}), {"code": -32603, "message": "why"}),
        (RpcError(-32603, "why", {"detail": object()}), {"code": -32603, "message": "why"}),
        (RpcError(-32603, "why", {"detail": b"\xff"}), {"code": -32603, "message": "why"}),
        (RpcError(-32603, "y" * 5000), {"code": -32603, "message": "y" * 1000}),
        (RpcError(-32603, "half a pair: \ud83d"), {"code": -32603, "message": "half a pair: ?"}),
        (RpcError(-32603, "why", {"a": None}), {"code": -32603, "message": "why", "data": {"a": None}}),
    ],
    ids=[
        "large data",
        "data that is not valid JSON",
        "data that is not a text",
        "large message",
        "half a surrogate",
        "null",
    ],
)
def test_an_error_is_always_answered_with_as_much_of_it_as_can_be_sent(error: RpcError, kept: dict[str, Any]) -> None:
    connection: Connection[str] = Connection(2000)
    connection.receive(frame(id=1, method="m"))
    data = connection.error(1, error)
    assert data is not None
    assert len(data) <= 2000
    assert json.loads(data)["error"] == kept
    assert connection.error(1, error) is None


def test_requests_of_the_other_side_stay_answerable_after_its_last_word() -> None:
    connection: Connection[str] = Connection()
    connection.receive(frame(id=1, method="m"))
    connection.end()
    connection.abandon()
    assert connection.result(1, b"1") is not None


def test_frames_are_single_lines_of_compact_json_with_params() -> None:
    connection: Connection[str] = Connection()
    number, asked = connection.request('odd"\n', encode({"text": "a\nb"}), "w")
    assert asked.count(b"\n") == 1
    assert json.loads(asked) == {"jsonrpc": "2.0", "id": number, "method": 'odd"\n', "params": {"text": "a\nb"}}
    assert json.loads(connection.notification("m", b"{}")) == {"jsonrpc": "2.0", "method": "m", "params": {}}
