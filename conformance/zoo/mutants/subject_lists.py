"""Mutants of a subject backend's filters and pages."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant

from mutants.subject_reading import Asks, page_of, params_of, verb_of


@mutant("subject.list.limit", base="subject")
class IgnoresTheLimit(Asks):
    """Gives everything at once."""

    verb = "list"

    def change(self, params: Any) -> None:
        params.pop("limit", None)


class IgnoresAFilter(Asks):
    """Does not look at one field of the filter."""

    verb = "list"
    field: str

    def change(self, params: Any) -> None:
        params.pop(self.field, None)


for _field in (
    "kind",
    "status",
    "native_status",
    "dispatch_label",
    "has_attachment_kind",
    "assignee",
    "labels_any",
    "labels_all",
    "updated_since",
):
    _name = "Ignores" + _field.title().replace("_", "")
    _about = f"Does not filter by {_field}."
    mutant(f"subject.list.filter-{_field.replace('_', '-')}", base="subject")(
        type(_name, (IgnoresAFilter,), {"__doc__": _about, "__module__": __name__, "field": _field})
    )


@mutant("subject.list.filter-status", base="subject")
class TakesOneStatus(Asks):
    """Looks at the first status of the list alone."""

    verb = "list"

    def change(self, params: Any) -> None:
        if isinstance(params.get("status"), list):
            params["status"] = params["status"][:1]


@mutant("subject.list.filter-labels-all", base="subject")
class AnyIsAll(Asks):
    """Is content with one of the labels that were all to be there."""

    verb = "list"

    def change(self, params: Any) -> None:
        if "labels_all" in params:
            params["labels_any"] = params.pop("labels_all")


@mutant("subject.list.filter-updated-since", base="subject")
class SinceIsBefore(Asks):
    """Knows the year of updated_since and nothing finer."""

    verb = "list"

    def change(self, params: Any) -> None:
        if isinstance(params.get("updated_since"), str):
            params["updated_since"] = f"{params['updated_since'][:4]}-01-01T00:00:00+00:00"


@mutant("subject.list.filters-combine", base="subject")
class OneFilterWins(Asks):
    """Looks at one field of the filter when there are several."""

    verb = "list"

    def change(self, params: Any) -> None:
        if "status" in params and "labels_any" in params:
            del params["status"]


class Pages(Mutation):
    """Changes what comes on pages after the first."""

    def answers(self, request: Message, reply: Message) -> Sent:
        subjects = page_of(request, reply)
        if subjects is not None:
            self.change(params_of(request), reply["result"])
        return reply

    def change(self, params: Message, page: Message) -> None:
        """Change the page in place."""
        raise NotImplementedError


@mutant("subject.list.pages-join", base="subject")
class PagesOverlap(Pages):
    """Begins each page with the last subject of the page before."""

    last: Message | None = None

    def change(self, params: Message, page: Message) -> None:
        if params.get("cursor") and self.last:
            page["subjects"].insert(0, self.last)
        self.last = page["subjects"][-1] if page["subjects"] else None


@mutant("subject.list.pages-join", base="subject")
class PagesHaveGaps(Pages):
    """Leaves out the first subject of each page after the first."""

    def change(self, params: Message, page: Message) -> None:
        if params.get("cursor"):
            del page["subjects"][:1]


@mutant("subject.list.pages-join", base="subject")
class PagesForgetTheFilter(Asks):
    """Filters the first page alone."""

    verb = "list"

    def change(self, params: Any) -> None:
        if "cursor" in params:
            params.pop("status", None)


@mutant("subject.list.pages-join", base="subject")
class PagesNeverEnd(Pages):
    """Begins anew after the last page."""

    def change(self, params: Message, page: Message) -> None:
        if params.get("cursor") and not page.get("next_cursor"):
            page["next_cursor"] = "-1.0"


@mutant("subject.list.pages-hold", base="subject")
class CountsSubjects(Mutation):
    """Lets the cursor say how many subjects were handed out."""

    def asked(self, request: Message) -> Message:
        if verb_of(request) == "list" and self.start(params_of(request)) is not None:
            params_of(request).pop("limit", None)
            params_of(request).pop("cursor", None)
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        subjects = page_of(request, reply)
        start, limit = self.start(params_of(request)), params_of(request).get("limit")
        if subjects is not None and start is not None and isinstance(limit, int):
            end = start + limit
            reply["result"]["subjects"] = subjects[start:end]
            if end < len(subjects):
                reply["result"]["next_cursor"] = f"after-{end}"
        return reply

    def start(self, params: Message) -> int | None:
        """Where the page begins; None for a cursor of somebody else."""
        cursor = str(params.get("cursor") or "after-0")
        return int(cursor[6:]) if cursor.startswith("after-") and cursor[6:].isdecimal() else None


@mutant("subject.list.foreign-cursor", base="subject")
class StumblesOverCursors(Mutation):
    """Calls a foreign cursor an internal error."""

    def answers(self, request: Message, reply: Message) -> Sent:
        is_cursor = verb_of(request) == "list" and reply.get("error", {}).get("message", "").startswith("cursor")
        return self.refusal(request, -32603) if is_cursor else reply


@mutant("subject.list.foreign-cursor", base="subject")
class DiesOfCursors(Mutation):
    """Ends at a foreign cursor."""

    def asked(self, request: Message) -> Message:
        if verb_of(request) == "list" and str(params_of(request).get("cursor")).startswith("nobody"):
            self.pass_on({"jsonrpc": "2.0", "method": "exit", "params": {}})
        return request
