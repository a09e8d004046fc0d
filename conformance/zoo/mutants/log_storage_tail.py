"""Mutants of a log storage's tail."""

from __future__ import annotations

from collections import Counter

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, AskedOtherwise, CancelledOtherwise, ExcusedOtherwise, NotifiedOtherwise

from mutants.log_storage import LEVELS, STORE, TAIL
from mutants.log_storage_query import FindsAllLevels, FindsAllNames, TakesUnknownLevelsForAll

EVENT = "log_storage/event"


class ChangedEvents(NotifiedOtherwise):
    """Changes events."""

    method = EVENT


class Numbered(Mutation):
    """Does something to one event of a tail, by its number from 1 on."""

    def __init__(self) -> None:
        self.events: Counter[Any] = Counter()

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] != EVENT:
            return notification
        tail = notification["params"]["id"]
        self.events[tail] += 1
        return self.numbered(self.events[tail], notification)

    def numbered(self, number: int, event: Message) -> Sent:
        """What is told in place of this event."""
        raise NotImplementedError


@mutant("log-storage.tail.result-has-its-type", base="log-storage")
class SaysThatItWatches(AnsweredOtherwise):
    """Answers as other streams do."""

    method = TAIL

    def changed(self, params: Any, result: Any) -> Any:
        return {"watching": True}


@mutant("log-storage.tail.result-has-its-type", base="log-storage")
class SaysFalseWithAGlob(AnsweredOtherwise):
    """Answers a tail with a glob with tailing false, and tells entries."""

    method = TAIL

    def changed(self, params: Any, result: Any) -> Any:
        return {"tailing": "*" not in (params.get("target_glob") or "")}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsLines(ChangedEvents):
    """Tells entries under another name."""

    def changed(self, params: Any) -> Any:
        return {"id": params["id"], "line": params["entry"]}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsLoudLevels(ChangedEvents):
    """Tells entries with their levels in capitals."""

    def changed(self, params: Any) -> Any:
        return {**params, "entry": {**params["entry"], "level": params["entry"]["level"].upper()}}


@mutant("log-storage.tail.events-have-their-type", base="log-storage")
class TellsWithoutAnId(ChangedEvents):
    """Tells entries without an id."""

    def changed(self, params: Any) -> Any:
        return {"entry": params["entry"]}


@mutant("log-storage.tail.events-name-their-tail", base="log-storage")
class WritesIdsAsTexts(ChangedEvents):
    """Gives the id of the request back as a text."""

    def changed(self, params: Any) -> Any:
        return {**params, "id": str(params["id"])}


@mutant("log-storage.tail.events-name-their-tail", base="log-storage")
class CountsItsEvents(ChangedEvents):
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
class FollowsAllLevels(FindsAllLevels):
    """Tells entries of every level."""

    method = TAIL


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsAllNames(FindsAllNames):
    """Tells entries of every source_name."""

    method = TAIL


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsAllTargets(AskedOtherwise):
    """Tells entries of every target."""

    method = TAIL

    def change(self, query: Any) -> None:
        if isinstance(query.get("target_glob"), str):
            del query["target_glob"]


@mutant("log-storage.tail.filters", base="log-storage")
class FollowsNothing(AskedOtherwise):
    """Tells nothing when there is a filter."""

    method = TAIL

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
class EndsAllAtOnce(CancelledOtherwise):
    """Ends every tail when one is cancelled."""

    method = TAIL

    def cancelled(self, cancellation: Message) -> Message:
        for tail in self.ids:
            self.pass_on(_cancel(tail))
        return cancellation


@mutant("log-storage.tail.cancel-ends-it", base="log-storage")
class GoesOnTelling(CancelledOtherwise):
    """Takes no notice when a tail is cancelled."""

    method = TAIL

    def cancelled(self, cancellation: Message) -> None:
        return None


@mutant("log-storage.tail.bad-params", base="log-storage")
class FollowsUnknownLevels(TakesUnknownLevelsForAll):
    """Takes a min_level that nobody knows for none."""

    method = TAIL


@mutant("log-storage.tail.bad-params", base="log-storage")
class FailsAtBadTails(ExcusedOtherwise):
    """Refuses bad tails as if something were wrong with itself."""

    method = TAIL
    code = -32603
    message = "internal error"


def _cancel(request_id: Any) -> Message:
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}}
