"""Mutants of a subject backend's kinds, method names, list, get and schema."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mutation import TYPE_CHECKING, Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, AskedOtherwise, OneMethod

if TYPE_CHECKING:
    from typing import ClassVar

CALLED = ("ticket", "visit", "subject")


def verb_of(message: Message) -> str:
    """The verb of a request under any of its names; empty for what is no verb of the backend."""
    prefix, _, verb = message["method"].rpartition("/")
    return verb if prefix in CALLED else ""


def params_of(request: Message) -> Message:
    """Its params; empty for what no host would send."""
    params = request.get("params")
    return params if isinstance(params, dict) else {}


def page_of(request: Message, reply: Message) -> list[Message] | None:
    """The subjects of a list's reply; None for every other message."""
    return reply["result"]["subjects"] if verb_of(request) == "list" and "result" in reply else None


class _OneVerb(OneMethod):
    """Concerns one verb under any of its names."""

    verb: str

    def concerns(self, message: Message) -> bool:
        return verb_of(message) == self.verb


class Replies(_OneVerb, AnsweredOtherwise):
    """Changes the results of one verb."""


class Asks(_OneVerb, AskedOtherwise):
    """Changes the params of one verb before anybody sees them."""


@mutant("subject.kinds.are-claimed", base="subject")
class ClaimsNothing(Mutation):
    """Names no kind of subjects anywhere."""

    def manifest(self, manifest: Message) -> Message:
        kept = [one for one in manifest["capabilities"] if not one.startswith("subject_kind:")]
        return {**manifest, "capabilities": kept}

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "initialize" and "result" in reply:
            reply["result"]["capabilities"]["subject_kinds"] = []
        return reply


@mutant("subject.methods.by-kind", base="subject")
class ForgetsItsSecondKind(Mutation):
    """Does not know the verbs of the second kind that it claims."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, -32601) if request["method"].startswith("visit/") else reply


@mutant("subject.methods.both-spellings-agree", base="subject")
class GeneralListIsShort(AnsweredOtherwise):
    """Leaves a subject out of subject/list that ticket/list has."""

    method = "subject/list"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "subjects": result["subjects"][:-1]}


class Foreign(Mutation):
    """Serves a verb of a kind that it does not claim, as one of its own."""

    verb: str

    def asked(self, request: Message) -> Message:
        prefix, _, verb = request["method"].rpartition("/")
        if verb == self.verb and prefix not in (*CALLED, "conformance", "$"):
            request["method"] = f"ticket/{verb}"
            if verb == "create":
                params_of(request)["kind"] = "ticket"
        return request


@mutant("subject.kinds.foreign-verbs-are-refused", base="subject")
class ListsForAnybody(Foreign):
    """Shows its tickets when another kind is to be listed."""

    verb = "list"


@mutant("subject.kinds.foreign-verbs-are-refused", base="subject")
class GetsForAnybody(Foreign):
    """Gets its tickets under the name of another kind."""

    verb = "get"


@mutant("subject.kinds.foreign-verbs-are-refused", base="subject")
class CreatesForAnybody(Foreign):
    """Makes a ticket when somebody wants to create another kind."""

    verb = "create"


@mutant("subject.kinds.verbs-narrow", base="subject")
class MixesKinds(Mutation):
    """Shows tickets in visit/list."""

    def asked(self, request: Message) -> Message:
        if request["method"] == "visit/list":
            request["method"] = "subject/list"
        return request


@mutant("subject.list.has-its-type", base="subject")
class ListWithoutTime(Replies):
    """Leaves fetched_at out."""

    verb = "list"

    def changed(self, params: Any, result: Any) -> Any:
        return {name: value for name, value in result.items() if name != "fetched_at"}


@mutant("subject.list.has-its-type", base="subject")
class ListOfStrangers(Mutation):
    """Lists subjects whose status is a word of its own."""

    def answers(self, request: Message, reply: Message) -> Sent:
        for subject in page_of(request, reply) or []:
            subject["status"] = subject["native_status"]
        return reply


@mutant("subject.list.has-its-type", base="subject")
class ListIsAnArray(Replies):
    """Answers list with the subjects alone."""

    verb = "list"

    def changed(self, params: Any, result: Any) -> Any:
        return result["subjects"]


@mutant("subject.list.kinds-are-claimed", base="subject")
class ShowsAnotherKind(Mutation):
    """Shows a subject of a kind that it does not claim, in list and get."""

    def answers(self, request: Message, reply: Message) -> Sent:
        subjects = page_of(request, reply)
        if subjects is not None and params_of(request).get("kind"):
            reply["result"]["subjects"] = [one for one in subjects if one["id"] != "D-1"]
        found = subjects or ([reply["result"]] if verb_of(request) == "get" and "result" in reply else [])
        for subject in found:
            if subject["id"] == "D-1":
                subject["kind"] = "memo"
        return reply


@mutant("subject.list.ids-are-unique", base="subject")
class ListsTwice(Mutation):
    """Shows the first subject twice in a list without limit."""

    def answers(self, request: Message, reply: Message) -> Sent:
        subjects = page_of(request, reply)
        if subjects and "limit" not in params_of(request):
            reply["result"]["subjects"] = [subjects[0], *subjects]
        return reply


@mutant("subject.ids.are-stable", base="subject")
class NumbersAnew(Mutation):
    """Gives the ids to other subjects at each start."""

    def at_start(self) -> None:
        if os.path.exists("desk.json"):
            with open("desk.json", encoding="utf-8") as file:
                text = file.read()
            with open("desk.json", "w", encoding="utf-8") as file:
                file.write(text.replace('"title": "', '"title": "Another: '))


@mutant("subject.get.has-its-type", base="subject")
class GetWithoutTimes(Replies):
    """Leaves created_at out."""

    verb = "get"

    def changed(self, params: Any, result: Any) -> Any:
        return {name: value for name, value in result.items() if name != "created_at"}


@mutant("subject.get.has-its-type", base="subject")
class GetGivesAList(Replies):
    """Answers get with a list of one."""

    verb = "get"

    def changed(self, params: Any, result: Any) -> Any:
        return [result]


@mutant("subject.get.gives-the-one-asked-for", base="subject")
class GetCutsTitles(Replies):
    """Cuts the title of what is not urgent in get."""

    verb = "get"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "title": result["title"][:5]} if result.get("priority") == 4 else result


class Unknown(Mutation):
    """Answers what has the id of no subject with a result."""

    verb: str
    instead: ClassVar[Any] = None

    def answers(self, request: Message, reply: Message) -> Sent:
        if verb_of(request) == self.verb and reply.get("error", {}).get("data", {}).get("category") == "not_found":
            return self.result(request, self.instead)
        return reply


SUBJECT = {
    "id": "no-such-subject",
    "kind": "ticket",
    "title": "Nothing",
    "status": "done",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}


@mutant("subject.get.refuses-an-unknown-id", base="subject")
class GetsNull(Unknown):
    """Gets null for an unknown id."""

    verb = "get"


@mutant("subject.get.refuses-an-unknown-id", base="subject")
class BreaksOnUnknownIds(Mutation):
    """Calls an unknown id an internal error."""

    def answers(self, request: Message, reply: Message) -> Sent:
        is_unknown = verb_of(request) == "get" and reply.get("error", {}).get("code") == -32602
        return self.refusal(request, -32603) if is_unknown else reply


@mutant("subject.update.refuses-an-unknown-id", base="subject")
class UpdatesNothing(Unknown):
    """Says that it has updated what does not exist."""

    verb = "update"
    instead = SUBJECT


@mutant("subject.status.refuses-an-unknown-id", base="subject")
class MovesNothing(Unknown):
    """Says that it has moved what does not exist."""

    verb = "status"
    instead = SUBJECT


@mutant("subject.delete.refuses-an-unknown-id", base="subject")
class DeletesNothing(Unknown):
    """Says that it has deleted what does not exist."""

    verb = "delete"
    instead: ClassVar = {"ok": True}


@mutant("subject.unknown-id.category", base="subject")
class CallsItInvalid(Mutation):
    """Refuses an unknown id as if the params were wrong."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if reply.get("error", {}).get("data", {}).get("category") == "not_found":
            reply["error"]["data"]["category"] = "invalid_request"
        return reply


class SaysInSchema(Replies):
    """Says something else in its schema."""

    verb = "schema"
    instead: ClassVar[Mapping[str, Any]]

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, **self.instead}


@mutant("subject.schema.has-its-type", base="subject")
class SchemaWithItsOwnStatuses(SaysInSchema):
    """Names statuses that the protocol does not have."""

    instead: ClassVar = {"status_values": ["todo", "doing", "done"]}


@mutant("subject.schema.has-its-type", base="subject")
class SchemaWithoutKinds(SaysInSchema):
    """Has null in place of the kinds."""

    instead: ClassVar = {"kinds": None}


@mutant("subject.schema.kinds", base="subject")
class SchemaWithAnotherKind(SaysInSchema):
    """Names a kind that it does not claim."""

    instead: ClassVar = {"kinds": ["ticket", "visit", "memo"]}


@mutant("subject.schema.flags", base="subject")
class SchemaDeniesWatch(SaysInSchema):
    """Says that it has no watch."""

    instead: ClassVar = {"supports_watch": False}


@mutant("subject.schema.flags", base="subject-talkative")
class SchemaClaimsDelete(SaysInSchema):
    """Says that it deletes, and does not."""

    instead: ClassVar = {"supports_delete": True}


@mutant("subject.schema.pagination-flag", base="subject")
class SchemaDeniesPages(SaysInSchema):
    """Says that it has no pages."""

    instead: ClassVar = {"supports_pagination": False}


@mutant("subject.schema.status-values", base="subject")
class SchemaForgetsAStatus(SaysInSchema):
    """Leaves a status out that its subjects have."""

    instead: ClassVar = {"status_values": ["ready", "in-progress", "done", "cancelled"]}
