"""How the checks of triggers watch, and read what is told in whichever form it comes (protocol §4).

Below it lie the settings, which configure the watch, the projects, where something is made to happen, and the oracle.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from animus_conformance import oracle
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Reply

__all__ = [
    "ACK",
    "EVENT",
    "SCHEMA",
    "WATCH",
    "Caused",
    "ReceivedEvent",
    "Stream",
    "ack_params",
    "answer",
    "caused",
    "event_mismatch",
    "no_answer",
    "require_answer",
]

WATCH: Final = "trigger/watch"
ACK: Final = "trigger/ack"
SCHEMA: Final = "trigger/schema"
EVENT: Final = "trigger/event"

_TYPES: Final = "trigger#/$defs/"
_EVENT_TYPE: Final = f"{_TYPES}TriggerEventParams"
_NO_ANSWER: Final = "no_answer"
_STATUS: Final = "accepted"


class ReceivedEvent(NamedTuple):
    """An event, read from any of its forms; its id tells it from others, what else it says may be told again."""

    event_id: str
    trigger_id: str | None
    payload: Any

    def says_the_same_as(self, other: ReceivedEvent) -> bool:
        """Whether trigger and payload are equal, whatever the ids."""
        return (self.trigger_id, self.payload) == (other.trigger_id, other.payload)


class Caused(NamedTuple):
    """What came after something was made to happen: a new event within `seconds`, or nothing new.

    Then `clash` is an event that says something new under an id that was there before, and `failure` is the error that
    ended the stream.
    """

    event: ReceivedEvent | None
    clash: ReceivedEvent | None
    failure: Any
    seconds: float


class Stream:
    """A watch of one process: the answer that opened it or did not, and what it has told since it was asked for."""

    def __init__(self, host: Host, after: int, request_id: int, reply: Reply) -> None:
        self._after = after
        self.host = host
        self.request_id = request_id
        self.reply = reply

    @classmethod
    async def ask(cls, settings: SuiteSettings, host: Host, **params: Any) -> Stream:
        """Ask for a watch with the settings' configuration, whatever the answer; an event may come before it."""
        after = host.notifications.count
        request_id = host.send(WATCH, settings.params_for(WATCH, **params))
        return cls(host, after, request_id, await _reply(host, request_id))

    @classmethod
    async def open(cls, settings: SuiteSettings, host: Host) -> Stream:
        """The same, for checks that build on it. Raises Unproven when there is no result."""
        stream = await cls.ask(settings, host)
        stream.require_open()
        return stream

    def require_open(self) -> None:
        """Raises Unproven when the watch was not opened."""
        if self.reply.error is not None:
            raise Unproven(f"first {WATCH} was refused: {self.reply}")

    def events(self) -> list[ReceivedEvent]:
        """What was told so far. Raises Unproven when some of it has not the protocol's type."""
        return [event for event in map(_read, self._params()) if event is not None]

    def failure(self) -> Any:
        """The error that ended the stream; None while there is none."""
        errors = (params.get("error") for params in self._params() if isinstance(params, Mapping))
        return next((error for error in errors if error is not None), None)

    async def fails(self) -> bool:
        """Whether the stream ends with an error, in time."""
        return await self.host.notifications.next(EVENT, _is_failure, after=self._after) is not None

    async def tells(self, wanted: ReceivedEvent, within_s: float) -> bool:
        """Whether `wanted` is told within so many seconds, under its own id or another."""

        def is_it(params: Any) -> bool:
            event = _read(params)
            return event is not None and (event.event_id == wanted.event_id or event.says_the_same_as(wanted))

        return await self.host.notifications.next(EVENT, is_it, after=self._after, within_s=within_s) is not None

    async def pass_time(self, seconds: float) -> None:
        """Let so much time go by, for what is still to come."""
        await self.host.notifications.next(EVENT, lambda _: False, after=self._after, within_s=seconds)

    def _params(self) -> list[Any]:
        return [
            notification.params
            for notification in self.host.notifications.since(self._after)
            if notification.method == EVENT
        ]


async def caused(projects: Projects, stream: Stream, known: Mapping[str, ReceivedEvent]) -> Caused:
    """Make something happen and wait for an event that is not among the `known` ones.

    Raises Unproven when nothing can be made to happen, or when events have not the protocol's type.
    """
    host, after = stream.host, stream.host.notifications.count
    began = time.monotonic()
    await projects.stimulate("event", host.project)

    def is_new(params: Any) -> bool:
        return _is_failure(params) or getattr(_read(params), "event_id", None) not in known

    notification = await host.notifications.next(EVENT, is_new, after=after)
    seconds = time.monotonic() - began
    if notification is not None and not _is_failure(notification.params):
        return Caused(_read(notification.params), None, None, seconds)
    # Nothing under a new id: what came is a repeat, or something new under an id that is taken.
    again = [
        _read(notification.params) for notification in host.notifications.since(after) if notification.method == EVENT
    ]
    clash = [
        event for event in again if event is not None and not event.says_the_same_as(known.get(event.event_id, event))
    ]
    return Caused(None, clash[0] if clash else None, stream.failure(), seconds)


async def answer(host: Host, method: str, params: Mapping[str, Any]) -> Reply:
    """The answer to a request; where none comes, one of which `no_answer` tells why."""
    return await _reply(host, host.send(method, params))


def no_answer(reply: Reply) -> str | None:
    """Why a request got no answer at all; None when it got one, even an error that says nothing."""
    return None if reply.error is None else reply.error.get(_NO_ANSWER)


def require_answer(reply: Reply, what: str) -> None:
    """Raises Failed when a request got no answer at all."""
    trouble = no_answer(reply)
    if trouble is not None:
        raise Failed(f"{what}: {trouble}")


def event_mismatch(params: Any) -> str | None:
    """How the params of `trigger/event` differ from the protocol's type, or of its forms the one that they resemble."""
    wrong = oracle.mismatch(_EVENT_TYPE, params)
    if wrong is None or not isinstance(params, Mapping):
        return wrong
    # Of the forms that an event may have, the one that it resembles says best what is wrong with it.
    resembled = ("TriggerFailure", "error"), ("NestedTriggerEvent", "event"), ("TriggerEvent", "event_id")
    form = next((form for form, member in resembled if params.get(member) is not None), "LegacyTriggerEvent")
    return oracle.mismatch(_TYPES + form, params) or wrong


def ack_params(settings: SuiteSettings, event_id: str) -> dict[str, Any]:
    """What a host says once an event is safe with it."""
    return settings.params_for(ACK, event_id=event_id, status=_STATUS)


async def _reply(host: Host, request_id: int) -> Reply:
    try:
        return await host.reply(request_id)
    except Failed as failed:
        return Reply(None, {_NO_ANSWER: str(failed)}, host.notifications.count)


def _is_failure(params: Any) -> bool:
    return isinstance(params, Mapping) and params.get("error") is not None


def _read(params: Any) -> ReceivedEvent | None:
    """An event out of any of its forms; None for a failure. Raises Unproven for another type."""
    if oracle.mismatch(_EVENT_TYPE, params) is not None:
        raise Unproven(f"there are events of another type: {json.dumps(params):.300}")
    if _is_failure(params):
        return None
    event = params if params.get("event") is None else params["event"]
    event_id = event["event_id"] if "event_id" in event else event["id"]
    return ReceivedEvent(event_id, event.get("trigger_id"), event.get("payload"))
