"""Mutants of a trigger that forgets or mixes up what its last process knew."""

from __future__ import annotations

import os

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise

from mutants.trigger import ACK, EVENT, WATCH

INBOX = "inbox"


class _SecondLife(Mutation):
    """Knows which letters were there when its process began; the first process of a project finds none."""

    def __init__(self) -> None:
        self.old = set(os.listdir(INBOX)) if os.path.isdir(INBOX) else set()

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] != EVENT or not self.old:
            return notification
        return self.tells_later(notification, notification["params"]["payload"]["letter"] in self.old)

    def tells_later(self, event: Message, is_old: bool) -> Sent:
        """What is told in place of an event in a later process."""
        raise NotImplementedError


@mutant("trigger.restart.watches-on", base="trigger")
class LeavesItsLock(Mutation):
    """Refuses to watch where a process before it has left its lock."""

    lock = "watch.lock"

    def __init__(self) -> None:
        self.is_locked = os.path.exists(self.lock)

    def asked(self, request: Message) -> Message | None:
        if request["method"] != WATCH:
            return request
        if self.is_locked:
            self.say(self.refusal(request, -32603, "another process watches this project"))
            return None
        with open(self.lock, "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
        return request


@mutant("trigger.restart.watches-on", base="trigger")
class LivesInThePast(_SecondLife):
    """Tells what was there when its process began and nothing new, except in a new project."""

    def tells_later(self, event: Message, is_old: bool) -> Sent:
        return event if is_old else None


@mutant("trigger.restart.tells-what-is-left", base="trigger")
class BeginsAnew(_SecondLife):
    """Does not tell what was there when its process began."""

    def tells_later(self, event: Message, is_old: bool) -> Sent:
        return None if is_old else event


@mutant("trigger.restart.keeps-ids", base="trigger")
class DrawsIds(Mutation):
    """Gives each event an id of this process, and knows which one an acknowledgement means."""

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == EVENT:
            notification["params"]["event_id"] += f"-{os.getpid()}"
        return notification

    def asked(self, request: Message) -> Message:
        return self.notified(request)

    def notified(self, notification: Message) -> Message:
        params = notification.get("params")
        if notification["method"] == ACK and isinstance(params, dict) and isinstance(params.get("event_id"), str):
            params["event_id"] = params["event_id"].partition("-")[0]
        return notification

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == ACK and "result" in reply:
            reply["result"]["event_id"] = request["params"]["event_id"]
        return reply


@mutant("trigger.restart.ids-stay-unique", base="trigger")
class CountsFromOneAgain(_SecondLife):
    """Gives the first new event of a process the id of the first one of all."""

    first = "first-event"

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == EVENT and not self.old and not os.path.exists(self.first):
            with open(self.first, "w", encoding="utf-8") as file:
                file.write(notification["params"]["event_id"])
        return super().notifies(notification)

    def tells_later(self, event: Message, is_old: bool) -> Sent:
        if not is_old:
            with open(self.first, encoding="utf-8") as file:
                event["params"]["event_id"] = file.read()
        return event


@mutant("trigger.ack.result-has-its-type", base="trigger")
class AcksWithOk(AnsweredOtherwise):
    """Answers an acknowledgement with {event_id, ok: true}."""

    method = ACK

    def changed(self, params: Any, result: Any) -> Any:
        return {"event_id": result["event_id"], "ok": True}


@mutant("trigger.ack.result-has-its-type", base="trigger")
class SaysThatItDidNot(AnsweredOtherwise):
    """Answers an acknowledgement with acked false."""

    method = ACK

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "acked": False}


@mutant("trigger.ack.result-has-its-type", base="trigger")
class TakesNotificationsOnly(Mutation):
    """Refuses an acknowledgement that is a request, and heeds it all the same."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, -32600, "send a notification") if request["method"] == ACK else reply


@mutant("trigger.ack.names-its-event", base="trigger")
class AcksAnother(AnsweredOtherwise):
    """Names the trigger in place of the event that was acknowledged."""

    method = ACK

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "event_id": "letters"}


@mutant("trigger.ack.is-final", base="trigger")
class HeedsRequestsOnly(Mutation):
    """Ignores an acknowledgement that is a notification."""

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == ACK else notification


class _SwallowsAcks(Mutation):
    """Answers acknowledgements and does not pass them on."""

    def asked(self, request: Message) -> Message | None:
        params = request["params"]
        if request["method"] != ACK or not isinstance(params, dict) or not isinstance(params.get("event_id"), str):
            return request
        self.say(self.result(request, {"event_id": params["event_id"], "acked": True}))
        self.swallow(params)
        return None

    def swallow(self, params: Message) -> None:
        """An acknowledgement was answered."""


@mutant("trigger.ack.is-final", base="trigger")
class ForgetsWithItsProcess(_SwallowsAcks):
    """Keeps acknowledgements for as long as its process lives."""

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == ACK else notification


@mutant("trigger.ack.request-counts", base="trigger")
class OnlyPretends(_SwallowsAcks):
    """Answers an acknowledgement that is a request and does not heed it."""


@mutant("trigger.ack.survives-a-kill", base="trigger")
class WritesAtTheEnd(_SwallowsAcks):
    """Writes acknowledgements by request to its file when it is shut down."""

    def __init__(self) -> None:
        self.unwritten: list[Message] = []

    def swallow(self, params: Message) -> None:
        self.unwritten.append(params)

    def asked(self, request: Message) -> Message | None:
        if request["method"] == "shutdown":
            for params in self.unwritten:
                self.pass_on({"jsonrpc": "2.0", "method": ACK, "params": params})
        return super().asked(request)


@mutant("trigger.ack.twice", base="trigger")
class AcksOnce(Mutation):
    """Does not answer the second acknowledgement of an event that it has told."""

    def __init__(self) -> None:
        self.events: dict[str, int] = {}

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == EVENT:
            self.events[notification["params"]["event_id"]] = 0
        return notification

    def asked(self, request: Message) -> Message | None:
        if request["method"] == ACK and isinstance(request["params"], dict):
            event_id = str(request["params"].get("event_id"))
            if event_id in self.events:
                self.events[event_id] += 1
                return request if self.events[event_id] == 1 else None
        return request


@mutant("trigger.ack.twice", base="trigger")
class DiesOfAcksOfOne(Mutation):
    """Ends when an event that it has told was acknowledged by two requests."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.acked: list[Any] = []

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == EVENT:
            self.events.append(notification["params"]["event_id"])
        return notification

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != ACK or "error" in reply:
            return reply
        event_id = request["params"]["event_id"]
        if event_id in self.events and event_id in self.acked:
            self.say(reply)
            os._exit(1)
        self.acked.append(event_id)
        return reply


@mutant("trigger.ack.unknown-event", base="trigger")
class DiesOfAnOldEvent(Mutation):
    """Dies of the acknowledgement of an event that it does not know."""

    def asked(self, request: Message) -> Message:
        if request["method"] == ACK and "never-was" in str(request["params"]):
            os._exit(1)
        return request


@mutant("trigger.ack.unknown-event", base="trigger")
class IgnoresAnOldEvent(Mutation):
    """Does not answer the acknowledgement of an event that it does not know."""

    def asked(self, request: Message) -> Message | None:
        return None if request["method"] == ACK and "never-was" in str(request["params"]) else request
