"""The verbs of a subject backend, by the names that it serves, on one connection (protocol §4).

Below it lie the wire and the claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import REFUSALS, Reply
from animus_conformance.wire.observer import Observed

__all__ = ["UNKNOWN_ID", "Subject", "SubjectVerbs", "covers", "flat"]

Subject = Mapping[str, Any]

UNKNOWN_ID: Final = "no-such-subject"

_CORE: Final = ("list", "get")
"""What hosts cannot do without."""
_MOST_PAGES: Final = 1_000
"""A cursor that always leads on must not hold the check until its time is over."""


class SubjectVerbs:
    """One connection to the backend. `kind` is the kind of the subjects that it is tried with."""

    def __init__(self, host: Host, claims: Claims, settings: SuiteSettings, observed: Observed) -> None:
        """Raises Unproven when the plugin claims no kind."""
        if not claims.subject_kinds:
            raise Unproven("it claims no kind of subjects")
        self.host = host
        self.settings = settings
        self._claims = claims
        self._observed = observed
        named = settings.params_for("subject/create").get("kind")
        # A plain kind where it claims one: which kinds a pattern covers can only be guessed.
        self.kind: str = named if isinstance(named, str) else min(claims.subject_kinds, key=_is_pattern)
        self.kind = self.kind.replace("*", "task")

    def offers(self, verb: str) -> bool:
        """Whether it advertises the verb under any name."""
        return f"subject/{verb}" in self._claims.advertised

    def method(self, verb: str) -> str:
        """The verb under the kind's own name, as hosts send it, unless only `subject/<verb>` is advertised."""
        own, general = f"{self.kind}/{verb}", f"subject/{verb}"
        return general if own not in self._claims.spelled and general in self._claims.spelled else own

    async def ask(self, verb: str, **params: Any) -> Reply:
        """The answer, whichever it is. Raises Failed when there is none."""
        return await self.host.ask(self.method(verb), self.settings.params_for(f"subject/{verb}", **params))

    async def offered(self, verb: str, **params: Any) -> Reply:
        """Like `ask`. Raises NotAdvertised for the codes that say that the verb is not offered."""
        reply = await self.ask(verb, **params)
        if verb not in _CORE and reply.code in REFUSALS:
            raise NotAdvertised(f"{self.method(verb)} is refused with {reply.code}, so that hosts do without")
        return reply

    async def result(self, verb: str, **params: Any) -> Any:
        """The result of the request in question, flat. Raises Failed for an error, Unproven for a wrong type."""
        reply = await self.offered(verb, **params)
        if reply.error is not None:
            raise Failed(f"{self.method(verb)} {params} was refused: {reply}")
        return self.typed(verb, reply)

    async def given(self, verb: str, **params: Any) -> Any:
        """The result of what the check only builds on, flat. Raises Unproven for any trouble."""
        try:
            reply = await self.offered(verb, **params)
        except Failed as failed:
            raise Unproven(f"first {failed}") from None
        if reply.error is not None:
            raise Unproven(f"first {self.method(verb)} {params} was refused: {reply}")
        return self.typed(verb, reply)

    def typed(self, verb: str, reply: Reply) -> Any:
        """The flat result. Raises Unproven when it has not the protocol's type, which is a check of its own."""
        wrong = self.mismatch(verb, reply)
        if wrong is not None:
            raise Unproven(f"the result of {self.method(verb)} has not the protocol's type ({wrong})")
        return flat(reply.result)

    def mismatch(self, verb: str, reply: Reply) -> str | None:
        """How the result differs from the protocol's type for this verb."""
        types = oracle.method_types(f"subject/{verb}")
        if types is None or types.result is None:
            raise ValueError(f"{verb} is no request of the protocol")
        wrong = oracle.mismatch(types.result, reply.result)
        if wrong is not None:
            self._observed.note_mistyped(f"subject/{verb}")
        return wrong

    def require_type(self, verb: str, reply: Reply) -> None:
        """Raises Failed for an error, and for a result of another type."""
        if reply.error is not None:
            raise Failed(f"{self.method(verb)} was refused: {reply}")
        wrong = self.mismatch(verb, reply)
        if wrong is not None:
            raise Failed(f"{self.method(verb)}: {wrong}")

    async def fetch(self, subject_id: str) -> Subject:
        """The subject as `get` shows it. Raises Unproven."""
        found: Subject = await self.given("get", id=subject_id)
        return found

    async def everything(self, **wanted: Any) -> list[Subject]:
        """Every subject that passes a filter, page by page. Raises Unproven."""
        return await self.joined(await self.given("list", **wanted), wanted)

    async def joined(self, page: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Subject]:
        """The subjects of `page` and of all pages after it. Raises Unproven."""
        found = list(page["subjects"])
        cursors: set[str] = set()
        while cursor := page.get("next_cursor"):
            if cursor in cursors or len(cursors) >= _MOST_PAGES:
                raise Unproven(f"the pages of {self.method('list')} have no end: next_cursor {cursor!r:.100}")
            cursors.add(cursor)
            page = await self.given("list", **{**wanted, "cursor": cursor})
            found += page["subjects"]
        return found

    async def move(self, subject: Subject, status: str) -> bool:
        """Whether the subject has the status now, by status or else by update. Raises Failed for no answer."""
        if self.offers("status"):
            await self.ask("status", id=subject["id"], status=status)
        elif self.offers("update"):
            await self.ask("update", id=subject["id"], patch={"status": status})
        return bool((await self.fetch(subject["id"]))["status"] == status)

    async def knows(self, subject: Subject) -> bool:
        """Whether get finds it. Raises Failed for no answer."""
        reply = await self.ask("get", id=subject["id"])
        return reply.error is None and flat(reply.result) is not None


def flat(result: Any) -> Any:
    """The subject in a result, which may stand in an object of its own (protocol §4)."""
    return result["subject"] if isinstance(result, Mapping) and "subject" in result and "id" not in result else result


def covers(claim: str, kind: str) -> bool:
    """Whether a claim such as `issue` or `issue.*` covers `kind`."""
    return claim in (kind, "*") or (claim.endswith(".*") and kind.startswith(claim[:-1]))


def _is_pattern(claim: str) -> bool:
    return "*" in claim
