"""The host that the suite plays towards one plugin process: the handshake, requests, notifications, the end.

Checks speak through it. Below it lie the process, the frames, the table of requests, and the observer, who is shown
every message (protocol §1, §2).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from animus_conformance import oracle
from animus_conformance.method_names import canonical
from animus_conformance.patience import Patience
from animus_conformance.profiles import Profile
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.version import VERSION
from animus_conformance.wire.frames import Frame, FrameReader, Noise
from animus_conformance.wire.messages import REFUSALS, Moment, Notification, Reply
from animus_conformance.wire.notifications import Notifications
from animus_conformance.wire.observer import Observed, envelope_violations
from animus_conformance.wire.process import PluginProcess
from animus_conformance.wire.requests import Requests
from animus_conformance.wire.transcript import Transcript

__all__ = ["Host"]


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
        self.notifications = Notifications(patience.event_s)
        self.initialized: Mapping[str, Any] = {}
        """The result of `initialize`, once the plugin was greeted."""
        self._observed = observed
        self._reader = FrameReader()
        self._requests = Requests()
        self._next_id = 0
        self._reading = asyncio.create_task(self._read())

    @property
    def now(self) -> Moment:
        """How far it has come."""
        return Moment(self.transcript.count, self.process.stderr_bytes)

    # the handshake

    async def initialize(self, **changes: Any) -> Reply:
        """`initialize` as the profile sends it, with `changes`. Raises Failed when it gets no answer."""
        params: dict[str, Any] = {
            "protocol_version": self.profile.protocol_version,
            "host_info": {"name": "animus-conformance", "version": VERSION},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
        }
        if self.profile.sends_extensions:
            params["init_extensions"] = {"project_binding": self.project_binding}
        return await self.ask("initialize", {**params, **changes}, within_s=self.patience.start_s)

    @property
    def project_binding(self) -> dict[str, Any]:
        """What a host says of the project; the scope has the form that hosts give it."""
        return {"project_root": str(self.project), "repo_scope": f"{self.project.name}-0123456789ab"}

    async def greet(self) -> Reply:
        """`initialize` and `initialized`. Raises Unproven for anything but a result that is an object."""
        try:
            reply = await self.initialize()
        except Failed as failed:
            raise Unproven(f"it does not start: {failed}") from None
        if reply.error is not None or not isinstance(reply.result, Mapping):
            raise Unproven(f"it does not start: initialize answered with {reply}")
        self.initialized = reply.result
        self.tell("initialized")
        return reply

    # speaking

    def send(self, method: str, params: Any = None) -> int:
        """A request, without waiting; its id."""
        # Small whole numbers: one SDK drops ids of other types, another one rounds large ones (protocol §1).
        self._next_id += 1
        self.send_as(self._next_id, method, params)
        return self._next_id

    def send_as(self, request_id: int | str, method: str, params: Any = None) -> None:
        """A request with an id of the caller's choice."""
        self._requests.add(request_id, method)
        # Never without params: some typed handlers refuse absent ones and null (protocol §1).
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
        self._requests.add(request_id, method)

    def allow(self, request_id: Any) -> None:
        """A message with an id that is no id was written with `raw`: a refusal may carry it, or none may come."""
        self._requests.allow(request_id)

    # answers

    async def reply(self, request_id: int | str, within_s: float | None = None) -> Reply:
        """The answer to a request that was sent. Raises Failed when none comes."""
        return await self._requests.reply(request_id, self.patience.answer_s if within_s is None else within_s)

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
        """Like `result`, for any type. A refusal of the method itself is the business of another check."""
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
        return self._requests.is_settled(request_id)

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
        self._requests.close()

    # inside

    def _mismatch(self, method: str, result: Any) -> str | None:
        types = oracle.method_types(canonical(method))
        wrong = None if types is None or types.result is None else oracle.mismatch(types.result, result)
        if wrong is None:
            return None
        self._observed.note_mistyped(canonical(method))
        return f"the result of {method} has not the protocol's type ({wrong})"

    def _write(self, message: Mapping[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self.transcript.add(">", text)
        # Half a surrogate pair of the plugin's own texts goes back as the escape that it came as.
        self.process.write(text.encode("utf-8", "backslashreplace") + b"\n")

    async def _read(self) -> None:
        try:
            while chunk := await self._read_some():
                self._received(self._reader.feed(chunk))
            self._received(self._reader.end())
        finally:
            code = self.process.exit_code
            ended = "the plugin closed its output" + ("" if code is None else f" and ended with {code}")
            self.transcript.add("#", ended)
            self._requests.end(ended)
            self.notifications.end()

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

    def _take(self, frame: Frame) -> None:
        message = frame.value
        if not isinstance(message, dict):
            self._violated("wire.stdout-carries-messages-only", f"{frame.text[:200]!r} is no message (no object)")
            return
        for requirement_id, sentence in envelope_violations(message, frame.text):
            self._violated(requirement_id, sentence)
        if "method" not in message:
            wrong = self._requests.settle(message, frame.text, self.notifications.count)
            if wrong is not None:
                self._violated(*wrong)
        elif message.get("id") is not None:  # a request of the plugin's own, which a host need not know
            self._write({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        else:
            self.notifications.add(Notification(str(message["method"]), message.get("params")))

    def _violated(self, requirement_id: str, sentence: str) -> None:
        self._observed.violations.add(requirement_id, sentence)


def _requirement_of(noise: Noise) -> str:
    if noise.reason.startswith("not UTF-8"):
        return "wire.utf-8"
    if noise.reason.endswith("is not JSON"):
        return "wire.no-nan"
    return "wire.stdout-carries-messages-only"
