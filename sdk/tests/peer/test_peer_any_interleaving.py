"""Two live peers and a wire that may break at any byte: whatever happens, every call ends once, with its own answer.

A script of calls, notifications, cancellations, timeouts and deliveries of so many bytes is played on two peers with a
relay between them. Then the wire is cut, or one side leaves, or everything is delivered. Nothing may be left over.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_protocol.connection import Notification, Request
from animus_protocol.errors import CallTimeout, Cancelled, Code, PeerGone, RpcError
from animus_protocol.models.base import Method, WireModel
from animus_protocol.peer import Peer
from written_values import Writer, written

DEADLINE_S = 15.0
REFUSED = -32050
BIG = 200_000  # more than a socket takes at once


class Tag(WireModel):
    tag: str
    filling: str = ""


NOTE: Method[Tag, None] = Method("note", Tag, None, "test")
Step = tuple[str, int, int]


class Side:
    """One end: its peer, what it was asked and told, and what became of its own calls."""

    def __init__(self, name: str, end: socket.socket) -> None:
        self.name = name
        self.other = "b" if name == "a" else "a"
        self.asked: Counter[str] = Counter()
        self.delivered: list[str] = []
        self.said: list[str] = []
        self.calls: dict[str, asyncio.Task[str]] = {}
        self.called_off: set[str] = set()
        self.barriers: list[asyncio.Event] = []
        self.waiting: set[str] = set()
        fd = end.detach()
        self.peer = Peer(fd, fd, self, name=f"other than {name}")

    def request(self, peer: Peer, request: Request) -> object:
        tag = request.params["tag"]
        self.asked[tag] += 1
        match request.method:
            case "wait":
                return self._wait(request.params, tag)
            case "ask_back":
                return self._ask_back(tag)
            case "refuse":
                raise RpcError(REFUSED, tag)
        return request.params  # at once, without a task

    def notification(self, peer: Peer, notification: Notification) -> None:
        self.delivered.append(notification.params["tag"])

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        pass

    async def _wait(self, params: object, tag: str) -> object:
        barrier = asyncio.Event()
        self.barriers.append(barrier)
        self.waiting.add(tag)
        try:
            await barrier.wait()
        finally:
            self.waiting.remove(tag)
        return params

    async def _ask_back(self, tag: str) -> object:
        answer = await self.peer.call(Method("echo", Tag, Tag, "test"), Tag(tag=f"{tag}'"), timeout_s=DEADLINE_S)
        assert answer.tag == f"{tag}'"
        return {"tag": tag}

    def call(self, how: str, filling: int = 0, timeout_s: float = DEADLINE_S) -> None:
        tag = f"{how} {self.name}{len(self.calls)}"
        self.calls[tag] = asyncio.create_task(self._called(how, Tag(tag=tag, filling="x" * filling), timeout_s))

    async def _called(self, how: str, params: Tag, timeout_s: float) -> str:
        try:
            answer = await self.peer.call(Method(how, Tag, Tag, "test"), params, timeout_s=timeout_s)
        except PeerGone:
            return "gone"
        except CallTimeout:
            assert timeout_s == 0
            return "timeout"
        except Cancelled:
            return "cancelled there"
        except RpcError as error:
            return {
                ("refuse", REFUSED, params.tag): "refused",
                ("ask_back", Code.INTERNAL_ERROR, f"other than {self.other} is gone"): "could not ask back",
            }.get((how, error.code, error.message.partition(":")[0]), f"refused with somebody else's {error.message!r}")
        assert answer == params.model_copy(update={"filling": answer.filling}), "an answer was given to somebody else"
        assert how != "refuse"
        return "answered"

    def tell(self) -> None:
        tag = f"{self.name}{len(self.said)}"
        self.said.append(tag)
        self.peer.notify(NOTE, Tag(tag=tag))

    def give_up(self, which: int) -> None:
        if self.calls:
            tag = list(self.calls)[which % len(self.calls)]
            if self.calls[tag].cancel():
                self.called_off.add(tag)

    def open_barrier(self, which: int) -> None:
        if self.barriers:
            self.barriers[which % len(self.barriers)].set()

    def ends(self) -> dict[str, str]:
        return {tag: "cancelled here" if call.cancelled() else call.result() for tag, call in self.calls.items()}


class Relay:
    """The wire between the two: keeps what each side sends until the script lets so many bytes of it through."""

    def __init__(self, ends: tuple[socket.socket, socket.socket]) -> None:
        self.ends = ends
        self.kept = [bytearray(), bytearray()]
        for end in ends:
            end.setblocking(False)

    def carry(self, way: int, size: int) -> bool:
        """Let `size` bytes from end `way` through to the other; whether anything moved."""
        source, target, kept = self.ends[way], self.ends[1 - way], self.kept[way]
        try:
            kept += source.recv(1 << 20)
        except OSError:  # nothing there, or the wire is cut
            pass
        try:
            sent = target.send(kept[:size]) if kept else 0
        except OSError:
            return False
        del kept[:sent]
        return sent > 0

    def cut(self) -> None:
        for end in self.ends:
            end.close()


async def turns(count: int = 4) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def play(script: list[Step], ending: str) -> None:
    """One scenario under a deadline; `ending` is how it ends."""
    async with asyncio.timeout(DEADLINE_S):
        await scenario(script, ending)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def scenario(script: list[Step], ending: str) -> None:
    """Play the script, end, and look at both sides."""
    loop = asyncio.get_running_loop()
    unhandled: list[str] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(repr(context)))
    (end_a, near), (far, end_b) = socket.socketpair(), socket.socketpair()
    relay, sides = Relay((near, far)), (Side("a", end_a), Side("b", end_b))

    for what, who, number in script:
        side = sides[who]
        match what:
            case "tell":
                side.tell()
            case "give up":
                side.give_up(number)
            case "open":
                side.open_barrier(number)
            case "carry":
                relay.carry(who, number)
            case "late":
                side.call("wait", timeout_s=0)
            case "big":
                side.call("echo", filling=BIG)
            case _:
                side.call(what)
        await turns(number % 3)

    async def deliver() -> None:
        await turns()
        while relay.carry(0, 1 << 20) | relay.carry(1, 1 << 20):
            await turns()
        for side, other in (sides, sides[::-1]):
            assert not side.called_off & other.waiting, "what nobody wants any more is still worked on"
        while not all(call.done() for side in sides for call in side.calls.values()):
            for side in sides:
                for barrier in side.barriers:
                    barrier.set()
            relay.carry(0, 1 << 20)
            relay.carry(1, 1 << 20)
            await turns()

    async def leave(side: Side) -> None:
        leaving = asyncio.create_task(side.peer.aclose())
        while not leaving.done():
            relay.carry(0, 1 << 20)
            relay.carry(1, 1 << 20)
            await turns()
        await leaving

    match ending:
        case "everything arrives":
            await deliver()
            assert [side.delivered for side in sides] == [side.said for side in sides[::-1]]
        case "one side leaves":
            await leave(sides[0])
        case _:
            relay.cut()
    await leave(sides[0])
    await leave(sides[1])
    relay.cut()
    await asyncio.gather(*(call for side in sides for call in side.calls.values()), return_exceptions=True)
    await turns()

    assert not unhandled, unhandled
    for side, other in (sides, sides[::-1]):
        check(side, other, whole=ending == "everything arrives")
        assert side.peer.open_requests == side.peer._connection.open_requests == side.peer._connection.waiting == 0


def check(side: Side, other: Side, *, whole: bool) -> None:
    """Every call of `side` ended in a way that can be; `other` heard it at most once, and its notes in order."""
    for tag, end in side.ends().items():
        how = tag.partition(" ")[0]
        fair = {"answered", "refused"} | ({"timeout"} if how == "wait" else set())
        if tag in side.called_off:
            fair.add("cancelled here")
        if not whole:
            fair |= {"gone", "cancelled there", "could not ask back"}
        assert end in fair, f"{tag} ended as {end}"
        assert other.asked[tag] <= 1, f"{tag} was asked {other.asked[tag]} times"
        assert end not in ("answered", "refused") or other.asked[tag] == 1
    assert other.delivered == side.said[: len(other.delivered)], "a notification was lost, repeated or overtaken"


class WatchedLoop(asyncio.SelectorEventLoop):
    """A loop that remembers every future and timer it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[asyncio.Future[Any]] = []
        self.timers: list[asyncio.TimerHandle] = []

    def create_future(self) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = super().create_future()
        self.futures.append(future)
        return future

    def call_at(self, *args: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers.append(timer := super().call_at(*args, **options))
        return timer

    @property
    def left_behind(self) -> list[object]:
        """Futures that nobody will ever complete, and timers that nobody waits for."""
        timers = (timer for timer in self.timers if not timer.cancelled() and timer.when() > self.time())
        return [*timers, *(future for future in self.futures if not future.done())]


WHAT = (
    *("echo", "echo", "wait", "wait", "ask_back", "refuse", "late", "big", "tell", "tell", "give up", "open"),
    *["carry"] * 10,
)


def script(writer: Writer) -> list[Step]:
    """Many steps, or few."""
    most, least = (90, 25) if writer.flag() else (8, 0)
    return writer.many(lambda: (writer.pick(WHAT), writer.below(2), writer.below(601)), most, least)


ENDINGS = st.sampled_from(["everything arrives", "one side leaves", "cut"])


@pytest.mark.timeout(300)  # a failure takes its time to be made small
@settings(deadline=None, max_examples=200)
@given(written(script, 400), ENDINGS)
def test_any_interleaving_of_two_live_peers_ends_every_call_once_and_leaves_nothing(
    script: list[Step], ending: str
) -> None:
    before = os.listdir("/proc/self/fd")
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, WatchedLoop)
        runner.run(play(script, ending))
        assert loop.left_behind == []
    assert len(os.listdir("/proc/self/fd")) == len(before)
