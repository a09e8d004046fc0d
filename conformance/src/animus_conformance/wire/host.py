"""The host that the suite plays towards one plugin process: requests, replies, notifications, the end.

Opened by `plugin_under_test.py`, spoken through by checks; below it lie the process, the frames and the observer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_conformance import oracle
from animus_conformance.patience import Patience
from animus_conformance.profiles import Profile
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.frames import Frame, FrameReader, Noise
from animus_conformance.wire.observer import Observed, envelope_violations
from animus_conformance.wire.process import PluginProcess
from animus_conformance.wire.transcript import Transcript

__all__ = ["BEGINNING", "REFUSALS", "Host", "Moment", "Reply", "Told", "canonical"]

REFUSALS: Final = (-32601, -32001)
"""What a method that is not offered is refused with (protocol §3)."""

_MAX_TOLD: Final = 100_000


class Reply(NamedTuple):
    """The answer to one request: `error` is None for a result. `told_before` notifications had come before it."""

    result: Any
    error: Mapping[str, Any] | None
    told_before: int = 0

    @property
    def code(self) -> int | None:
        """The error's code, or None for a result."""
        return None if self.error is None else self.error.get("code")

    @property
    def category(self) -> str | None:
        """`error.data.category`, where there is one."""
        data = None if self.error is None else self.error.get("data")
        return data.get("category") if isinstance(data, Mapping) else None

    def __str__(self) -> str:
        shown = json.dumps(self.result if self.error is None else self.error, ensure_ascii=False)
        return f"{'result' if self.error is None else 'error'} {shown:.300}"


class Told(NamedTuple):
    """A notification of the plugin."""

    method: str
    params: Any


class Moment(NamedTuple):
    """How far a conversation has come: lines of its transcript, bytes of the plugin's stderr."""

    lines: int
    stderr_bytes: int


BEGINNING: Final = Moment(0, 0)


class Host:
    """One connection. Requests get small increasing ids; every wait has a deadline from `patience`.

    `ask`, `result`, `typed` and `given` differ in what trouble means. The first three are for the point in question: no
    answer fails; an error fails `result` and `typed`; a wrong type fails `typed` and leaves `result` unproven. `given`
    is for what has to work before: any trouble leaves the check unproven.
    """

    def __init__(
        self, process: PluginProcess, project: Path, profile: Profile, patience: Patience, observed: Observed
    ) -> None:
        self.process = process
        self.project = project
        self.profile = profile
        self.patience = patience
        self.transcript = Transcript()
        self.initialized: Mapping[str, Any] = {}
        """The result of `initialize`, once there is one."""
        self.told: list[Told] = []
        """Every notification so far, in order; the first 100,000 of them."""
        self._observed = observed
        self._reader = FrameReader()
        self._waiting: dict[int | str, asyncio.Future[Reply]] = {}
        self._asked: dict[int | str, str] = {}
        self._answered: set[int | str] = set()
        self._allowed: list[Any] = []
        self._next_id = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def now(self) -> Moment:
        """How far it has come."""
        return Moment(self.transcript.count, self.process.stderr_bytes)

    # speaking

    def send(self, method: str, params: Any = None) -> int:
        """A request, without waiting; its id."""
        self._next_id += 1
        self.send_as(self._next_id, method, params)
        return self._next_id

    def send_as(self, request_id: int | str, method: str, params: Any = None) -> None:
        """A request with an id of the caller's choice."""
        self._waiting[request_id] = asyncio.get_running_loop().create_future()
        self._asked[request_id] = method
        self._write({"jsonrpc": "2.0", "id": request_id, "method": method, "params": {} if params is None else params})

    def tell(self, method: str, params: Any = None) -> None:
        """A notification."""
        self._write({"jsonrpc": "2.0", "method": method, "params": {} if params is None else params})

    def raw(self, data: bytes) -> None:
        """Bytes as they are, for what no host would send."""
        self.transcript.add(">", data.decode(errors="backslashreplace").rstrip("\n"))
        self.process.write(data)

    def expect(self, request_id: int | str, method: str) -> None:
        """A request was written with `raw`: count its answer as one that was asked for."""
        self._waiting[request_id] = asyncio.get_running_loop().create_future()
        self._asked[request_id] = method

    def allow(self, request_id: Any) -> None:
        """A message with an id that is no id was written with `raw`: a refusal may carry it, or none may come."""
        self._allowed.append(request_id)

    # hearing

    async def reply(self, request_id: int | str, within_s: float | None = None) -> Reply:
        """The answer to a request that was sent. Raises Failed when none comes."""
        limit_s = self.patience.answer_s if within_s is None else within_s
        method = self._asked[request_id]
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.shield(self._waiting[request_id])
        except TimeoutError:
            raise Failed(f"{method} (id {request_id!r}) got no answer within {limit_s:g} s") from None
        except _WireEnded as ended:
            raise Failed(f"{method} (id {request_id!r}) got no answer: {ended}") from None

    async def ask(self, method: str, params: Any = None, *, within_s: float | None = None) -> Reply:
        """A request and its answer, whichever it is. Raises Failed when none comes."""
        return await self.reply(self.send(method, params), within_s)

    async def result(self, method: str, params: Any = None, *, within_s: float | None = None) -> Any:
        """The result of the request in question. Raises Failed for an error; a wrong type leaves things unproven."""
        result = await self.untyped(method, params, within_s=within_s)
        wrong = self._mismatch(method, result)
        if wrong is not None:
            raise Unproven(wrong)
        return result

    async def typed(self, method: str, params: Any = None) -> Any:
        """The result of a request whose type is the question. Raises Failed for an error and for a wrong type."""
        result = await self.untyped(method, params)
        wrong = self._mismatch(method, result)
        if wrong is not None:
            raise Failed(wrong)
        return result

    async def untyped(self, method: str, params: Any = None, *, within_s: float | None = None) -> Any:
        """As `result`, whatever its type. An advertised method that is refused as unknown is the audit's business."""
        reply = await self.ask(method, params, within_s=within_s)
        if reply.code in REFUSALS:
            raise Unproven(f"{method} is advertised and refused: {reply}")
        if reply.error is not None:
            raise Failed(f"{method} was refused: {reply}")
        return reply.result

    async def given(self, method: str, params: Any = None, *, within_s: float | None = None) -> Any:
        """The result of a request that the check only builds on. Raises Unproven for any trouble."""
        try:
            reply = await self.ask(method, params, within_s=within_s)
        except Failed as failed:
            raise Unproven(f"first {failed}") from None
        if reply.error is not None:
            raise Unproven(f"first {method} was refused: {reply}")
        wrong = self._mismatch(method, reply.result)
        if wrong is not None:
            raise Unproven(f"first {wrong}")
        return reply.result

    def answered(self, request_id: int | str) -> bool:
        """Whether the answer to a request that was sent is there, or can no longer come."""
        return self._waiting[request_id].done()

    async def next_told(
        self,
        method: str | frozenset[str],
        where: Callable[[Any], bool] = lambda _: True,
        *,
        after: int = 0,
        within_s: float | None = None,
    ) -> Told | None:
        """The first notification of `method` (or one of several) with params that pass `where`, from number `after` on.

        None when none comes in time (`event_s`), or the connection ends before.
        """
        deadline = asyncio.get_running_loop().time() + (self.patience.event_s if within_s is None else within_s)
        methods = frozenset({method}) if isinstance(method, str) else method
        number = after
        while True:
            for told in self.told[number:]:
                number += 1
                if told.method in methods and where(told.params):
                    return told
            if not await self._something_new(deadline):
                return None

    async def told_of(self, method: str, count: int, *, after: int = 0, within_s: float | None = None) -> list[Told]:
        """Notifications of `method` from number `after` on: `count` of them, or as many as come in time."""
        deadline = asyncio.get_running_loop().time() + (self.patience.event_s if within_s is None else within_s)
        while True:
            found = [told for told in self.told[after:] if told.method == method]
            if len(found) >= count or not await self._something_new(deadline):
                return found

    # ending

    @property
    def ended(self) -> bool:
        """Whether the plugin's output is at its end."""
        return self._reading.done()

    @property
    def is_gone(self) -> bool:
        """Whether nobody will answer any more; something that it has started may hold its output open all the same."""
        return self.ended or self.process.exit_code is not None

    async def shut_down(self) -> int | None:
        """`shutdown`, `exit` and the end of input, as a host does it; the exit code, or None if it had to be killed."""
        if not self.ended:
            try:
                await self.ask("shutdown", within_s=self.patience.shutdown_s)
            except Failed:
                pass  # whether shutdown is answered is a requirement of its own
            self.tell("exit")
            self.process.end_input()
        if not await self.process.exited(self.patience.exit_s):
            return None
        return self.process.exit_code

    async def close(self) -> None:
        """Kill what is left and end the connection."""
        await self.process.kill()
        self._reading.cancel()
        await asyncio.wait([self._reading])
        for waiter in self._waiting.values():
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # nobody may have asked for it
            waiter.cancel()

    # inside

    def _mismatch(self, method: str, result: Any) -> str | None:
        types = oracle.method_types(canonical(method))
        wrong = None if types is None or types.result is None else oracle.mismatch(types.result, result)
        if wrong is None:
            return None
        self._observed.mistyped.add(canonical(method))
        return f"the result of {method} has not the protocol's type ({wrong})"

    def _write(self, message: Mapping[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self.transcript.add(">", text)
        # Half a surrogate pair of the plugin's own texts goes back as the escape that it came as.
        self.process.write(text.encode("utf-8", "backslashreplace") + b"\n")

    async def _something_new(self, deadline: float) -> bool:
        self._news.clear()
        if self.ended:
            return False
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self) -> None:
        try:
            while chunk := await self._read_some():
                self._received(self._reader.feed(chunk))
            self._received(self._reader.end())
        finally:
            code = self.process.exit_code
            ended = _WireEnded("the plugin closed its output" + ("" if code is None else f" and ended with {code}"))
            self.transcript.add("#", str(ended))
            for waiter in self._waiting.values():
                if not waiter.done():
                    waiter.set_exception(ended)
            self._news.set()

    async def _read_some(self) -> bytes:
        if not self.profile.read_bytes:
            return await self.process.read()
        await asyncio.sleep(self.profile.read_pause_s)  # this profile is slow: that is what it is for
        return await self.process.read(self.profile.read_bytes)

    def _received(self, items: list[Frame | Noise]) -> None:
        for item in items:
            if isinstance(item, Noise):
                self.transcript.add("<", item.text)
                self._violated(_requirement_of(item), f"{item.text[:200]!r} is no message ({item.reason})")
            else:
                self.transcript.add("<", item.text)
                if item.tolerated and not self.profile.tolerant:
                    self._violated("wire.strict-lines", f"{item.tolerated}: {item.text:.200}")
                self._take(item)
        self._news.set()

    def _take(self, frame: Frame) -> None:
        message = frame.value
        if not isinstance(message, dict):
            self._violated("wire.stdout-carries-messages-only", f"{frame.text[:200]!r} is no message (no object)")
            return
        for requirement_id, sentence in envelope_violations(message, frame.text):
            self._violated(requirement_id, sentence)
        if "method" not in message:
            self._take_reply(message, frame.text)
        elif message.get("id") is not None:
            self._write({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        elif len(self.told) < _MAX_TOLD:
            self.told.append(Told(str(message["method"]), message.get("params")))

    def _violated(self, requirement_id: str, sentence: str) -> None:
        self._observed.violations.add(requirement_id, sentence)

    def _take_reply(self, message: Mapping[str, Any], text: str) -> None:
        request_id = message.get("id")
        if request_id is None:
            return  # the answer to a malformed frame
        known = isinstance(request_id, int | str) and not isinstance(request_id, bool)
        waiter = self._waiting.get(request_id) if known else None
        if waiter is None:
            if "error" in message and request_id in self._allowed:
                return
            self._violated("wire.answers-only-what-was-asked", f"a reply to an id that was not sent: {text:.200}")
        elif request_id in self._answered:
            self._violated("wire.answers-once", f"{self._asked[request_id]} was answered twice: {text:.200}")
        else:
            self._answered.add(request_id)
            error = message.get("error")
            if not waiter.done():
                error = error if isinstance(error, Mapping) else _as_error(error)
                waiter.set_result(Reply(message.get("result"), error, len(self.told)))


class _WireEnded(Exception):
    """The connection is over."""


def canonical(method: str) -> str:
    """`task/list` is `subject/list` under a kind's own name; every other method is its own."""
    prefix, _, verb = method.rpartition("/")
    if f"subject/{verb}" in _SUBJECT_METHODS and oracle.method_types(method) is None and prefix:
        return f"subject/{verb}"
    return method


_SUBJECT_METHODS: Final = frozenset(
    f"subject/{verb}" for verb in ("list", "get", "create", "update", "next", "status", "delete", "watch", "schema")
)


def _as_error(error: Any) -> Mapping[str, Any] | None:
    return None if error is None else {"code": None, "message": repr(error)}


def _requirement_of(noise: Noise) -> str:
    if noise.reason.startswith("not UTF-8"):
        return "wire.utf-8"
    if noise.reason.endswith("is not JSON"):
        return "wire.no-nan"
    return "wire.stdout-carries-messages-only"
