"""Mutants of a subject backend's create, next and delete."""

from __future__ import annotations

import os

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import Refusing

from mutants.subject_reading import Asks, Replies, page_of, params_of, verb_of

# create


@mutant("subject.create.has-its-type", base="subject")
class CreateGivesTheId(Replies):
    """Answers create with the id alone."""

    verb = "create"

    def changed(self, params: Any, result: Any) -> Any:
        return {"id": result["id"]}


@mutant("subject.create.has-its-type", base="subject")
class CreateBreaks(Refusing):
    """Cannot create anything."""

    method = "ticket/create"
    message = "disk full"

    def is_refused(self, params: Message) -> bool:
        return True


@mutant("subject.create.keeps-kind-and-title", base="subject")
class TitlesInAscii(Asks):
    """Keeps the ASCII characters of a title."""

    verb = "create"

    def change(self, params: Any) -> None:
        if isinstance(params.get("title"), str):
            params["title"] = params["title"].encode("ascii", "ignore").decode()


@mutant("subject.create.keeps-kind-and-title", base="subject")
class CallsItAVisit(Replies):
    """Says of every new subject that it is a visit."""

    verb = "create"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "kind": "visit"}


class Loses(Asks):
    """Does not keep one of the fields that are sent with create."""

    verb = "create"
    field: str

    def change(self, params: Any) -> None:
        params.pop(self.field, None)


@mutant("subject.create.keeps-its-fields", base="subject")
class LosesTheBody(Loses):
    """Drops the body."""

    field = "body"


@mutant("subject.create.keeps-its-fields", base="subject")
class LosesTheStatus(Loses):
    """Makes everything ready, whatever the status was to be."""

    field = "status"


@mutant("subject.create.keeps-its-fields", base="subject")
class LosesCustomFields(Loses):
    """Drops fields of its own."""

    field = "custom"


@mutant("subject.create.keeps-its-fields", base="subject")
class LosesLabels(Loses):
    """Drops the labels."""

    field = "labels"


@mutant("subject.create.is-found", base="subject")
class ListsLate(Mutation):
    """Does not list what was made since the start."""

    def __init__(self) -> None:
        self.made: set[str] = set()

    def answers(self, request: Message, reply: Message) -> Sent:
        if verb_of(request) == "create" and "result" in reply:
            self.made.add(reply["result"]["id"])
        subjects = page_of(request, reply)
        if subjects:
            reply["result"]["subjects"] = [one for one in subjects if one["id"] not in self.made]
        return reply


@mutant("subject.create.is-found", base="subject")
class SaysAnotherId(Replies):
    """Answers create with an id by which nothing is found."""

    verb = "create"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "id": f"new-{result['id']}"}


@mutant("subject.create.survives-a-restart", base="subject")
class Forgets(Mutation):
    """Keeps its subjects as long as the process lives."""

    def at_start(self) -> None:
        if os.path.exists("desk.json"):
            os.unlink("desk.json")


# next


@mutant("subject.next.has-its-type", base="subject")
class NextGivesTheId(Replies):
    """Answers next with an id."""

    verb = "next"

    def changed(self, params: Any, result: Any) -> Any:
        return result and result["id"]


class NextIsDone(Mutation):
    """Gives a subject that is done, from the store."""

    def asked(self, request: Message) -> Message:
        if verb_of(request) == "next":
            request.update(method="ticket/get", params={"id": "D-3"})
        return request


@mutant("subject.next.is-ready", base="subject")
class NextIsDoneAlready(NextIsDone):
    """Gives a subject that is done."""


@mutant("subject.next.is-ready", base="subject")
class NextIsSaidToBeReady(NextIsDone):
    """Gives a subject that is done, and calls it ready."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if verb_of(request) == "next" and "result" in reply:
            reply["result"]["status"] = "ready"
        return reply


@mutant("subject.next.is-of-the-kind", base="subject")
class NextIsAVisit(Replies):
    """Gives a visit to whoever wants a ticket."""

    verb = "next"

    def changed(self, params: Any, result: Any) -> Any:
        return result and {**result, "kind": "visit"}


@mutant("subject.next.finds-one", base="subject")
class NextIsNothing(Replies):
    """Never has anything to do."""

    verb = "next"

    def changed(self, params: Any, result: Any) -> Any:
        return None


# delete


@mutant("subject.delete.has-its-type", base="subject")
class DeleteGivesNull(Replies):
    """Answers delete with null."""

    verb = "delete"

    def changed(self, params: Any, result: Any) -> Any:
        return None


@mutant("subject.delete.deletes", base="subject")
class DeletesNot(Mutation):
    """Says that it has deleted, and has not."""

    def asked(self, request: Message) -> Message | None:
        if verb_of(request) == "delete" and str(params_of(request).get("id")).startswith("D-"):
            self.say(self.result(request, {"ok": True}))
            return None
        return request


@mutant("subject.delete.deletes", base="subject")
class DeletesAllTheSame(Mutation):
    """Says that it does not delete, and deletes."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, -32001) if verb_of(request) == "delete" and "result" in reply else reply


@mutant("subject.delete.deletes", base="subject")
class DeletesNothingThere(Mutation):
    """Says that a subject that is there could not be deleted."""

    def asked(self, request: Message) -> Message | None:
        if verb_of(request) == "delete" and str(params_of(request).get("id")).startswith("D-"):
            self.say(self.result(request, {"ok": False}))
            return None
        return request
