"""Mutants of a subject backend's update and status."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant

from mutants.subject_reading import Asks, Replies, params_of, verb_of

# update


@mutant("subject.update.has-its-type", base="subject")
class UpdateGivesNull(Replies):
    """Answers update with null."""

    verb = "update"

    def changed(self, params: Any, result: Any) -> Any:
        return None


class Patches(Asks):
    """Changes patches."""

    verb = "update"

    def change(self, params: Any) -> None:
        if isinstance(params.get("patch"), dict):
            self.change_patch(params["patch"])

    def change_patch(self, patch: Message) -> None:
        """Change it in place."""
        raise NotImplementedError


@mutant("subject.update.changes-what-was-sent", base="subject")
class IgnoresTheAssignee(Patches):
    """Gives work to nobody."""

    def change_patch(self, patch: Message) -> None:
        if patch.get("assignee"):
            del patch["assignee"]


@mutant("subject.update.changes-what-was-sent", base="subject")
class IgnoresTheStatus(Patches):
    """Lets update not change a status."""

    def change_patch(self, patch: Message) -> None:
        patch.pop("status", None)


@mutant("subject.update.leaves-the-rest", base="subject")
class OmittedIsNull(Patches):
    """Takes an absent assignee for null."""

    def change_patch(self, patch: Message) -> None:
        patch.setdefault("assignee", None)


@mutant("subject.update.leaves-the-rest", base="subject")
class ForgetsTheDescription(Mutation):
    """Loses the description with the first update."""

    def __init__(self) -> None:
        self.updated: set[str] = set()

    def answers(self, request: Message, reply: Message) -> Sent:
        if "result" in reply and verb_of(request) == "update":
            self.updated.add(reply["result"]["id"])
        if "result" in reply and verb_of(request) in ("get", "update") and reply["result"]["id"] in self.updated:
            reply["result"].pop("description", None)
        return reply


@mutant("subject.update.null-clears-the-assignee", base="subject")
class NullIsOmitted(Patches):
    """Takes assignee: null for an absent one."""

    def change_patch(self, patch: Message) -> None:
        if patch.get("assignee", "") is None:
            del patch["assignee"]


@mutant("subject.update.labels", base="subject")
class LabelsStay(Patches):
    """Takes no label off."""

    def change_patch(self, patch: Message) -> None:
        patch.pop("labels_remove", None)


@mutant("subject.update.labels", base="subject")
class LabelsNeverCome(Patches):
    """Puts no label on."""

    def change_patch(self, patch: Message) -> None:
        patch.pop("labels_add", None)


@mutant("subject.update.custom-is-merged", base="subject")
class CustomIsReplaced(Mutation):
    """Keeps the fields of the last patch alone."""

    def __init__(self) -> None:
        self.last: dict[str, Message] = {}

    def answers(self, request: Message, reply: Message) -> Sent:
        verb = verb_of(request)
        if verb == "update" and "result" in reply and "custom" in request["params"]["patch"]:
            self.last[request["params"]["id"]] = request["params"]["patch"]["custom"]
        if verb in ("get", "update") and "result" in reply and reply["result"]["id"] in self.last:
            reply["result"]["custom"] = self.last[reply["result"]["id"]]
        return reply


# status


@mutant("subject.status.has-its-type", base="subject")
class StatusGivesOk(Replies):
    """Answers status with {ok}."""

    verb = "status"

    def changed(self, params: Any, result: Any) -> Any:
        return {"ok": True}


@mutant("subject.status.is-set", base="subject")
class NeverDone(Asks):
    """Leaves in progress what is to be done."""

    verb = "status"

    def change(self, params: Any) -> None:
        if params.get("status") == "done":
            params["status"] = "in-progress"


@mutant("subject.status.is-set", base="subject")
class OnlySaysDone(Mutation):
    """Says that a subject is done, and stores that it is in progress."""

    def asked(self, request: Message) -> Message:
        if verb_of(request) == "status" and params_of(request).get("status") == "done":
            params_of(request)["status"] = "in-progress"
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if verb_of(request) == "status" and "result" in reply:
            reply["result"]["status"] = request["params"]["status"]
        return reply


@mutant("subject.changes.updated-at", base="subject")
class GoesBackInTime(Replies):
    """Says that a subject was last changed long ago when its status is set."""

    verb = "status"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "updated_at": "2001-01-01T00:00:00Z"}
