"""Mutants of a log storage's tail."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mutation import Message, Mutation, Sent, mutant

from mutants.log_storage import LEVELS, STORE, TAIL, Otherwise
from mutants.log_storage_query import AskedOtherwise

EVENT = "log_storage/event"


class Told(Mutation):
    """Changes events."""

    def tells(self, notification: Message) -> Sent:
        if notification["method"] == EVENT:
            notification["params"] = self.changed(notification["params"])
        return notification

    def changed(self, params: Any) -> Any:
        """The params of the event that comes in place of one with `params`."""
        raise NotImplementedError


class Numbered(Mutation):
    """Does something to one event of a tail, by its number from 1 on."""

    def __init__(self) -> None:
        self.events: Counter[Any] = Counter()

    def tells(self, notification: Message) -> Sent:
        if notification["method"] != EVENT:
            return notification
        tail = notification["params"]["id"]
        self.events[tail] += 1
        return self.numbered(self.events[tail], notification)

    def numbered(self, number: int, event: Message) -> Sent:
        """What is told in place of this event."""
        raise NotImplementedError


class FollowedOtherwise(AskedOtherwise):
    """Changes good tails on their way to the plugin."""

    method = TAIL


@mutant("log-storage.tail.result-has-its-type", base="log-storage")
class SaysThatItWatches(Otherwise):
    """Answers as other streams do."""

    method = TAIL

    def changed(self, params: Any, result: Any) -> Any:
        return {"watching": True}


@mutant("log-storage.tail.result-has-its-type", base="log-storage")
class SaysFalseWithAGlob(Otherwise):
    """Answers a tail with a glob with tailing false, and tells entries."""

    method = TAIL

    def changed(self, params: Any, result: Any) -> Any:
        return {"tailing": "*" not in (params.get("target_glob") or "")}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsLines(Told):
    """Tells entries under another name."""

    def changed(self, params: Any) -> Any:
        return {"id": params["id"], "line": params["entry"]}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsLoudLevels(Told):
    """Tells entries with their levels in capitals."""

    def changed(self, params: Any) -> Any:
        return {**params, "entry": {**params["entry"], "level": params["entry"]["level"].upper()}}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsWithoutAnId(Told):
    """Tells entries without an id."""

    def changed(self, params: Any) -> Any:
        return {"entry": params["entry"]}


@mutant("log-storage.tail.events-name-their-tail", base="log-storage")
class WritesIdsAsTexts(Told):
    """Gives the id of the request back as a text."""

    def changed(self, params: Any) -> Any:
        return {**params, "id": str(params["id"])}


@mutant("log-storage.tail.events-name-their-tail", base="log-storage")
class CountsItsEvents(Told):
    """Gives events ids of their own."""

    number = 1_000_000

    def changed(self, params: Any) -> Any:
        self.number += 1
        return {**params, "id": self.number}


@mutant("log-storage.tail.leaves-no-gap", base="log-storage")
class LosesOne(Numbered):
    """Loses every 30th event of a tail."""

    def numbered(self, number: int, event: Message) -> Sent:
        return None if number % 30 == 0 else event


@mutant("log-storage.tail.leaves-no-gap", base="log-storage")
class TellsOneTwice(Numbered):
    """Tells every 30th event of a tail twice."""

    def numbered(self, number: int, event: Message) -> Sent:
        return [event, event] if number % 30 == 0 else event


@mutant("log-storage.tail.leaves-no-gap", base="log-storage")
class SwapsTwo(Numbered):
    """Tells every 30th event of a tail after the 31st."""

    held: Message | None = None

    def numbered(self, number: int, event: Message) -> Sent:
        if number % 30 == 0:
            self.held = event
            return None
        held, self.held = self.held, None
        return event if held is None else [event, held]


@mutant("log-storage.tail.leaves-no-gap", base="log-storage")
class SubscribesLate(Mutation):
    """Says at once that it tails when it is busy storing, and begins seven batches later."""

    in_a_row = 0
    waiting: Message | None = None
    stores_to_come = 0

    def asked(self, request: Message) -> Message | None:
        if request["method"] == TAIL and self.in_a_row >= 5:
            self.waiting, self.stores_to_come = request, 7
            self.say(self.result(request, {"tailing": True}))
            return None
        self.in_a_row = self.in_a_row + 1 if request["method"] == STORE else 0
        if self.waiting is not None and self.stores_to_come == 0:
            self.pass_on(self.waiting)
            self.stores_to_come = -1
        self.stores_to_come -= 1
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        return None if self.waiting is not None and request["id"] == self.waiting["id"] else reply


@mutant("log-storage.tail.tells-nothing-old", base="log-storage")
class BeginsWithTheLastTen(Mutation):
    """Begins a tail with the last ten entries."""

    def __init__(self) -> None:
        self.last: list[Any] = []

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == STORE and "result" in reply:
            self.last = [*self.last, *request["params"]["entries"]][-10:]
        if request["method"] != TAIL or "error" in reply:
            return reply
        old = [{"id": request["id"], "entry": entry} for entry in self.last]
        return [reply, *({"jsonrpc": "2.0", "method": EVENT, "params": params} for params in old)]


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsAllLevels(FollowedOtherwise):
    """Tells entries of every level."""

    def change(self, query: Any) -> None:
        if query.get("min_level") in LEVELS:
            del query["min_level"]


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsAllNames(FollowedOtherwise):
    """Tells entries of every source_name."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("source_name"), str):
            del query["source_name"]


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsAllTargets(FollowedOtherwise):
    """Tells entries of every target."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("target_glob"), str):
            del query["target_glob"]


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsNothing(FollowedOtherwise):
    """Tells nothing when there is a filter."""

    def change(self, query: Any) -> None:
        if query.get("min_level") in LEVELS:
            query["target_glob"] = "no such target"


@mutant("log-storage.tail.two-at-once", base="log-storage")
class HasOneTail(Mutation):
    """Ends a tail when the next one is opened."""

    tail: Any = None

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == TAIL and "result" in reply:
            if self.tail is not None:
                self.pass_on(_cancel(self.tail))
            self.tail = request["id"]
        return reply


@mutant("log-storage.tail.two-at-once", base="log-storage")
class EndsAllAtOnce(Mutation):
    """Ends every tail when one is cancelled."""

    def __init__(self) -> None:
        self.tails: list[Any] = []

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == TAIL and "result" in reply:
            self.tails.append(request["id"])
        return reply

    def told(self, notification: Message) -> Message:
        params = notification.get("params")
        if notification["method"] == "$/cancelRequest" and isinstance(params, dict) and params.get("id") in self.tails:
            for tail in self.tails:
                self.pass_on(_cancel(tail))
        return notification


@mutant("log-storage.tail.cancel-ends-it", base="log-storage")
class GoesOnTelling(Mutation):
    """Takes no notice when a tail is cancelled."""

    def __init__(self) -> None:
        self.tails: list[Any] = []

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == TAIL and "result" in reply:
            self.tails.append(request["id"])
        return reply

    def told(self, notification: Message) -> Message | None:
        params = notification.get("params")
        cancels = notification["method"] == "$/cancelRequest" and isinstance(params, dict)
        return None if cancels and params.get("id") in self.tails else notification


@mutant("log-storage.tail.bad-params", base="log-storage")
class FollowsUnknownLevels(FollowedOtherwise):
    """Takes a min_level that nobody knows for none."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("min_level"), str) and query["min_level"] not in LEVELS:
            del query["min_level"]


@mutant("log-storage.tail.bad-params", base="log-storage")
class FailsAtBadTails(Mutation):
    """Refuses bad tails as if something were wrong with itself."""

    def answers(self, request: Message, reply: Message) -> Sent:
        bad = request["method"] == TAIL and "error" in reply
        return self.refusal(request, -32603, "internal error") if bad else reply


def _cancel(request_id: Any) -> Message:
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}}
