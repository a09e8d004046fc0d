"""Mutants of a trigger: what it says it does, and the events that it tells."""

from __future__ import annotations

from typing import Any

from mutation import Message, Mutation, Sent, mutant

WATCH = "trigger/watch"
ACK = "trigger/ack"
SCHEMA = "trigger/schema"
EVENT = "trigger/event"


class Otherwise(Mutation):
    """Changes the good results of one method."""

    method = WATCH

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == self.method and "result" in reply:
            reply["result"] = self.changed(request["params"], reply["result"])
        return reply

    def changed(self, params: Any, result: Any) -> Any:
        """The result that comes in place of `result`."""
        raise NotImplementedError


class ToldOtherwise(Mutation):
    """Changes events."""

    def tells(self, notification: Message) -> Sent:
        if notification["method"] == EVENT:
            notification["params"] = self.changed(notification["params"])
        return notification

    def changed(self, params: Any) -> Any:
        """The params of the event that comes in place of one with `params`."""
        raise NotImplementedError


class WithoutMethod(Mutation):
    """Neither advertises nor serves one method."""

    method = WATCH

    def manifest(self, manifest: Message) -> Message:
        manifest["capabilities"].remove(self.method)
        return manifest

    def asked(self, request: Message) -> Message | None:
        if request["method"] == self.method:
            self.say(self.refusal(request, -32601))
            return None
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "initialize" and "result" in reply:
            reply["result"]["capabilities"]["methods"].remove(self.method)
        return reply


@mutant("trigger.schema.result-has-its-type", base="trigger")
class HasOneKind(Otherwise):
    """Says kinds as one text."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "kinds": "letter"}


@mutant("trigger.schema.result-has-its-type", base="trigger")
class DoesNotSayWhetherItResumes(Otherwise):
    """Leaves supports_resume out."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {name: value for name, value in result.items() if name != "supports_resume"}


@mutant("trigger.schema.agrees-with-methods", base="trigger")
class WaitsForWhatItDoesNotTake(WithoutMethod):
    """Says supports_ack true and has no trigger/ack."""

    method = ACK


@mutant("trigger.watch.is-advertised", base="trigger")
class CannotBeWatched(WithoutMethod):
    """Does not advertise trigger/watch and refuses it."""

    method = WATCH


@mutant("trigger.watch.result-has-its-type", base="trigger")
class SaysOk(Otherwise):
    """Answers {ok: true}."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"ok": True}


@mutant("trigger.watch.result-has-its-type", base="trigger")
class IsNotReady(Mutation):
    """Refuses each watch with an internal error."""

    def asked(self, request: Message) -> Message | None:
        if request["method"] == WATCH:
            self.say(self.refusal(request, -32603, "not ready"))
            return None
        return request


@mutant("trigger.watch.result-has-its-type", base="trigger")
class WatchesInSilence(Otherwise):
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

    def tells(self, notification: Message) -> Sent:
        return None if notification["method"] == EVENT else notification


@mutant("trigger.event.comes", base="trigger")
class TellsTheFirst(Mutation):
    """Tells one event, and none after it."""

    count = 0

    def tells(self, notification: Message) -> Sent:
        self.count += notification["method"] == EVENT
        return None if notification["method"] == EVENT and self.count > 1 else notification


@mutant("trigger.event.comes", base="trigger")
class GivesUp(ToldOtherwise):
    """Ends the stream with an error when something happens."""

    def changed(self, params: Any) -> Any:
        return {"error": {"code": -32603, "message": "cannot read the letter"}}


@mutant("trigger.event.has-its-type", base="trigger")
class NumbersItsEvents(ToldOtherwise):
    """Has a number as event_id."""

    def changed(self, params: Any) -> Any:
        return {**params, "event_id": int(params["event_id"][:8], 16)}


@mutant("trigger.event.has-its-type", base="trigger")
class HasNoIds(ToldOtherwise):
    """Tells events without an id."""

    def changed(self, params: Any) -> Any:
        return {name: value for name, value in params.items() if name != "event_id"}


@mutant("trigger.event.has-its-type", base="trigger")
class HintsAtALot(ToldOtherwise):
    """Has a list as action_hint."""

    def changed(self, params: Any) -> Any:
        return {**params, "action_hint": ["create_task", "run_workflow"]}


@mutant("trigger.event.id-is-unique", base="trigger")
class HasOneId(ToldOtherwise):
    """Tells every event under one id."""

    def changed(self, params: Any) -> Any:
        return {**params, "event_id": "letter"}


@mutant("trigger.event.names-its-trigger", base="trigger")
class NamesItself(ToldOtherwise):
    """Has its own name as trigger_id."""

    def changed(self, params: Any) -> Any:
        return {**params, "trigger_id": "good-trigger"}


@mutant("trigger.event.is-told-once", base="trigger")
class TellsEverythingTwice(Mutation):
    """Tells each event twice and says supports_dedup."""

    def tells(self, notification: Message) -> Sent:
        return [notification, notification] if notification["method"] == EVENT else notification
