"""Mutants of a trigger: what it says it does, and the events that it tells."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, NotifiedOtherwise, Refusing, Unserved

WATCH = "trigger/watch"
ACK = "trigger/ack"
SCHEMA = "trigger/schema"
EVENT = "trigger/event"


class ChangedEvents(NotifiedOtherwise):
    """Changes events."""

    method = EVENT


@mutant("trigger.schema.result-has-its-type", base="trigger")
class HasOneKind(AnsweredOtherwise):
    """Says kinds as one text."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "kinds": "letter"}


@mutant("trigger.schema.result-has-its-type", base="trigger")
class DoesNotSayWhetherItResumes(AnsweredOtherwise):
    """Leaves supports_resume out."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {name: value for name, value in result.items() if name != "supports_resume"}


@mutant("trigger.schema.agrees-with-methods", base="trigger")
class WaitsForWhatItDoesNotTake(Unserved):
    """Says supports_ack true and has no trigger/ack."""

    method = ACK


@mutant("trigger.watch.is-advertised", base="trigger")
class CannotBeWatched(Unserved):
    """Does not advertise trigger/watch and refuses it."""

    method = WATCH


@mutant("trigger.watch.result-has-its-type", base="trigger")
class SaysOk(AnsweredOtherwise):
    """Answers {ok: true}."""

    method = WATCH

    def changed(self, params: Any, result: Any) -> Any:
        return {"ok": True}


@mutant("trigger.watch.result-has-its-type", base="trigger")
class IsNotReady(Refusing):
    """Refuses each watch with an internal error."""

    method = WATCH
    message = "not ready"

    def is_refused(self, params: Message) -> bool:
        return True


@mutant("trigger.watch.result-has-its-type", base="trigger")
class WatchesInSilence(Mutation):
    """Opens the stream and does not answer."""

    def answers(self, request: Message, reply: Message) -> Sent:
        is_given = request["method"] == WATCH and "result" in reply and request["params"].get("config")
        return None if is_given else reply


@mutant("trigger.watch.silent-without-cause", base="trigger")
class Greets(Mutation):
    """Greets each watch with an event."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != WATCH or "error" in reply:
            return reply
        greeting = {"event_id": "greeting", "payload": {"text": "I am watching"}}
        return [reply, {"jsonrpc": "2.0", "method": EVENT, "params": greeting}]


@mutant("trigger.event.comes", base="trigger")
class TellsNothing(Mutation):
    """Swallows every event."""

    def notifies(self, notification: Message) -> Sent:
        return None if notification["method"] == EVENT else notification


@mutant("trigger.event.comes", base="trigger")
class TellsTheFirst(Mutation):
    """Tells one event, and none after it."""

    count = 0

    def notifies(self, notification: Message) -> Sent:
        self.count += notification["method"] == EVENT
        return None if notification["method"] == EVENT and self.count > 1 else notification


@mutant("trigger.event.comes", base="trigger")
class GivesUp(ChangedEvents):
    """Ends the stream with an error when something happens."""

    def changed(self, params: Any) -> Any:
        return {"error": {"code": -32603, "message": "cannot read the letter"}}


@mutant("trigger.event.has-its-type", base="trigger")
class NumbersItsEvents(ChangedEvents):
    """Has a number as event_id."""

    def changed(self, params: Any) -> Any:
        return {**params, "event_id": int(params["event_id"][:8], 16)}


@mutant("trigger.event.has-its-type", base="trigger")
class HasNoIds(ChangedEvents):
    """Tells events without an id."""

    def changed(self, params: Any) -> Any:
        return {name: value for name, value in params.items() if name != "event_id"}


@mutant("trigger.event.has-its-type", base="trigger")
class HintsAtALot(ChangedEvents):
    """Has a list as action_hint."""

    def changed(self, params: Any) -> Any:
        return {**params, "action_hint": ["create_task", "run_workflow"]}


@mutant("trigger.event.id-is-unique", base="trigger")
class HasOneId(ChangedEvents):
    """Tells every event under one id."""

    def changed(self, params: Any) -> Any:
        return {**params, "event_id": "letter"}


@mutant("trigger.event.names-its-trigger", base="trigger")
class NamesItself(ChangedEvents):
    """Has its own name as trigger_id."""

    def changed(self, params: Any) -> Any:
        return {**params, "trigger_id": "good-trigger"}


@mutant("trigger.event.is-told-once", base="trigger")
class TellsEverythingTwice(Mutation):
    """Tells each event twice and says supports_dedup."""

    def notifies(self, notification: Message) -> Sent:
        return [notification, notification] if notification["method"] == EVENT else notification
