"""Mutants of a notifier."""

from __future__ import annotations

import os

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, ExcusedOtherwise, Refusing, Unserved

NOTIFY = "notifier/notify"
FLUSH = "notifier/flush"
SCHEMA = "notifier/schema"
ORDINARY = frozenset({"workflow-completed", "workflow-failed", "phase-started", "daemon-started", "plugin-crashed"})


class Notified(AnsweredOtherwise):
    """Changes what comes of an event."""

    method = NOTIFY


class RefusedEvents(Refusing):
    """Refuses events that are like this."""

    method = NOTIFY

    def is_refused(self, params: Message) -> bool:
        return isinstance(params.get("event"), dict) and self.is_refused_event(params["event"])

    def is_refused_event(self, event: Message) -> bool:
        """Whether this event gets an error."""
        raise NotImplementedError


@mutant("notifier.schema.result-has-its-type", base="notifier")
class HasOneConnector(AnsweredOtherwise):
    """Says connector_kinds as one text."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "connector_kinds": "file"}


@mutant("notifier.schema.result-has-its-type", base="notifier")
class DoesNotSayWhetherItFlushes(AnsweredOtherwise):
    """Leaves supports_flush out."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {"connector_kinds": result["connector_kinds"]}


@mutant("notifier.schema.agrees-with-methods", base="notifier")
class HidesItsFlush(AnsweredOtherwise):
    """Says supports_flush false and serves notifier/flush."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "supports_flush": False}


@mutant("notifier.schema.agrees-with-methods", base="notifier")
class PromisesAFlush(Unserved):
    """Says supports_flush true and has no notifier/flush."""

    method = FLUSH


@mutant("notifier.notify.is-advertised", base="notifier")
class GetsNothing(Unserved):
    """Does not advertise notifier/notify and refuses it."""

    method = NOTIFY


@mutant("notifier.notify.result-has-its-type", base="notifier")
class SaysOk(Notified):
    """Answers {ok: true}."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"ok": True}


@mutant("notifier.notify.result-has-its-type", base="notifier")
class DeliversABoolean(Notified):
    """Says in delivered whether a message went out, and not how many did."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "delivered": bool(result["delivered"])}


@mutant("notifier.notify.result-has-its-type", base="notifier")
class CountsBackwards(Notified):
    """Says delivered -1 where nothing went out."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "delivered": result["delivered"] or -1}


@mutant("notifier.notify.result-has-its-type", base="notifier")
class TellsWhatItDidInWords(Notified):
    """Says lifecycle_events as texts."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "lifecycle_events": [one["event_type"] for one in result["lifecycle_events"]]}


@mutant("notifier.notify.result-has-its-type", base="notifier")
class CannotTellAnything(RefusedEvents):
    """Refuses every event with an internal error."""

    def is_refused_event(self, event: Message) -> bool:
        return True


@mutant("notifier.notify.delivers-what-it-accepts", base="notifier")
class SaysNoAndDoesIt(Notified):
    """Says accepted false of what it has delivered."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "accepted": not result["delivered"] and result["accepted"]}


@mutant("notifier.notify.unknown-event-type", base="notifier")
class KnowsItsEvents(RefusedEvents):
    """Refuses events of a type that it does not know."""

    code = -32602

    def is_refused_event(self, event: Message) -> bool:
        return event.get("event_type") not in ORDINARY


@mutant("notifier.notify.any-data", base="notifier")
class NeedsAnObject(RefusedEvents):
    """Fails at data that is not an object."""

    def is_refused_event(self, event: Message) -> bool:
        return not isinstance(event.get("data"), dict)


@mutant("notifier.notify.any-data", base="notifier")
class NeedsAWorkflow(RefusedEvents):
    """Fails at data that does not name a workflow."""

    def is_refused_event(self, event: Message) -> bool:
        data = event.get("data")
        return isinstance(data, dict) and "workflow_id" not in data


@mutant("notifier.notify.optional-fields", base="notifier")
class NeedsANumber(RefusedEvents):
    """Refuses events without seq."""

    code = -32602

    def is_refused_event(self, event: Message) -> bool:
        return "seq" not in event


@mutant("notifier.notify.optional-fields", base="notifier")
class NeedsAProject(RefusedEvents):
    """Fails at a project_root that is null."""

    def is_refused_event(self, event: Message) -> bool:
        return "project_root" in event and event["project_root"] is None


@mutant("notifier.notify.bad-params", base="notifier")
class DoesNotMindWhat(ExcusedOtherwise):
    """Refuses params without an event with an internal error."""

    method = NOTIFY
    code = -32603


@mutant("notifier.notify.bad-params", base="notifier")
class TakesAWordForAnEvent(Mutation):
    """Declines an event that is a text in place of refusing it."""

    def answers(self, request: Message, reply: Message) -> Sent:
        params = request["params"]
        if request["method"] == NOTIFY and isinstance(params, dict) and isinstance(params.get("event"), str):
            return self.result(request, {"accepted": False})
        return reply


@mutant("notifier.notify.same-event-twice", base="notifier")
class RemembersEveryEvent(RefusedEvents):
    """Refuses an event whose id was there before."""

    code = -32602

    def __init__(self) -> None:
        self.known: set[str] = set()

    def is_refused_event(self, event: Message) -> bool:
        known = str(event.get("id")) in self.known
        self.known.add(str(event.get("id")))
        return known


@mutant("notifier.notify.many-at-once", base="notifier")
class HasASmallQueue(Mutation):
    """Has room for 80 events, and empties its queue only when it is told to flush."""

    def __init__(self) -> None:
        self.queued = 0

    def asked(self, request: Message) -> Message | None:
        if request["method"] == FLUSH:
            self.queued = 0
        if request["method"] != NOTIFY:
            return request
        self.queued += 1
        if self.queued <= 80:
            return request
        self.say(self.refusal(request, -32603, "too busy"))
        return None


@mutant("notifier.flush.result-has-its-type", base="notifier")
class FlushesAndSaysOk(AnsweredOtherwise):
    """Says in lifecycle_events how many messages went out."""

    method = FLUSH

    def changed(self, params: Any, result: Any) -> Any:
        return {"lifecycle_events": len(result.get("lifecycle_events", []))}


@mutant("notifier.flush.nothing-held-back", base="notifier")
class HasNothingToFlush(Mutation):
    """Refuses a flush when nothing was held back since the last one."""

    flushed = False

    def asked(self, request: Message) -> Message | None:
        if request["method"] == NOTIFY:
            self.flushed = False
        elif request["method"] == FLUSH and self.flushed:
            self.say(self.refusal(request, -32603, "nothing to flush"))
            return None
        elif request["method"] == FLUSH:
            self.flushed = True
        return request


@mutant("notifier.flush.of-a-project", base="notifier")
class FlushesKnownProjects(Mutation):
    """Refuses the flush of a project that it has not heard of."""

    def asked(self, request: Message) -> Message | None:
        params = request["params"]
        wanted = params.get("project_root") if isinstance(params, dict) else None
        if request["method"] == FLUSH and wanted not in (None, os.getcwd()):
            self.say(self.refusal(request, -32602, "no such project", category="not_found"))
            return None
        return request
