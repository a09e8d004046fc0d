"""Mutants of a subject backend's watch."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant

from mutants.subject_reading import Asks, Replies, verb_of


class Events(Mutation):
    """Changes what subject/changed carries."""

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == "subject/changed":
            return self.instead_of(notification, notification["params"])
        return notification

    def instead_of(self, notification: Message, params: Message) -> Sent:
        """What is told."""
        raise NotImplementedError


@mutant("subject.watch.has-its-type", base="subject")
class WatchGivesTheId(Replies):
    """Answers watch with an id of its own."""

    verb = "watch"

    def changed(self, params: Any, result: Any) -> Any:
        return {"watch_id": "w-1"}


class Silent(Events):
    """Does not tell of one kind of change."""

    kind: str

    def instead_of(self, notification: Message, params: Message) -> Sent:
        return None if params["change_kind"] == self.kind else notification


@mutant("subject.watch.tells-every-change", base="subject")
class SilentOnDeletion(Silent):
    """Does not tell of deletions."""

    kind = "deleted"


@mutant("subject.watch.tells-every-change", base="subject")
class SilentOnUpdates(Silent):
    """Does not tell of updates."""

    kind = "updated"


@mutant("subject.watch.events-have-their-type", base="subject")
class EventWithoutKind(Events):
    """Does not say what has happened."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        del params["change_kind"]
        return notification


@mutant("subject.watch.events-have-their-type", base="subject")
class EventWithoutSubject(Events):
    """Tells that something has happened to a subject, and not to which."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        del params["subject"]
        return notification


@mutant("subject.watch.event-ids", base="subject")
class EventsOfNobody(Events):
    """Has an id of its own for every event."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        params["id"] = "event-1"
        return notification


@mutant("subject.watch.change-kinds", base="subject")
class EverythingIsUpdated(Events):
    """Calls everything updated."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        params["change_kind"] = "updated"
        return notification


@mutant("subject.watch.change-kinds", base="subject")
class MovesAreDeletions(Events):
    """Calls it deleted when a status changes."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        if params["change_kind"] == "status-changed":
            params["change_kind"] = "deleted"
        return notification


@mutant("subject.watch.subject-is-current", base="subject")
class EventsAreLate(Events):
    """Shows the assignee that a subject had before."""

    def instead_of(self, notification: Message, params: Message) -> Sent:
        params["subject"].pop("assignee", None)
        return notification


@mutant("subject.watch.filter", base="subject")
class WatchIgnoresTheFilter(Asks):
    """Tells of everything, whatever was to be watched."""

    verb = "watch"

    def change(self, params: Any) -> None:
        params.clear()


@mutant("subject.watch.filter", base="subject-mirror")
class MirrorIgnoresTheFilter(WatchIgnoresTheFilter):
    """Tells of everything that happens outside, whatever was to be watched."""


@mutant("subject.watch.two-watches", base="subject")
class LastWatchWins(Events):
    """Tells the newest watch alone."""

    newest: object = None

    def asked(self, request: Message) -> Message:
        if verb_of(request) == "watch":
            self.newest = request["id"]
        return request

    def instead_of(self, notification: Message, params: Message) -> Sent:
        return notification if params["id"] == self.newest else None


@mutant("subject.watch.two-watches", base="subject")
class OneWatchOnly(Mutation):
    """Refuses a second watch."""

    is_watched = False

    def asked(self, request: Message) -> Message | None:
        if verb_of(request) == "unwatch":
            self.is_watched = False
        if verb_of(request) == "watch":
            if self.is_watched:
                self.say(self.refusal(request, -32600, "somebody watches already"))
                return None
            self.is_watched = True
        return request


@mutant("subject.watch.ends", base="subject")
class WatchesOn(Mutation):
    """Says that a watch has ended, and goes on telling."""

    def asked(self, request: Message) -> Message | None:
        if verb_of(request) == "unwatch":
            self.say(self.result(request, {"ok": True}))
            return None
        return request


@mutant("subject.watch.ends", base="subject")
class CannotStop(Mutation):
    """Knows no unwatch, and does not listen to cancellations."""

    def asked(self, request: Message) -> Message | None:
        if verb_of(request) == "unwatch":
            self.say(self.refusal(request, -32601))
            return None
        return request

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == "$/cancelRequest" else notification


@mutant("subject.watch.ends", base="subject-mirror")
class MirrorWatchesOn(WatchesOn):
    """Says that a watch has ended, and goes on telling what happens outside."""
