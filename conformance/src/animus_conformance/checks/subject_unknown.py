"""Checks of what a subject backend says to an id that it does not know (protocol §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import Backends
from animus_conformance.checks.subject_verbs import UNKNOWN_ID
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.messages import REFUSALS

_INVALID: Final = -32602
_VERBS: Final[Mapping[str, Mapping[str, Any]]] = {
    "get": {},
    "update": {"patch": {"status": "done"}},
    "status": {"status": "done"},
    "delete": {},
}


def _refuses(verb: str) -> None:
    async def ask(backends: Backends) -> None:
        backend = await backends.shared()
        reply = await backend.offered(verb, id=UNKNOWN_ID, **_VERBS[verb])
        # Deleting what is not there is also answered by saying that nothing was deleted.
        says_no = verb == "delete" and isinstance(reply.result, Mapping) and reply.result.get("ok") is False
        if reply.code != _INVALID and not says_no:
            raise Failed(f"{backend.method(verb)} of the unknown id {UNKNOWN_ID!r} got {reply}")

    ask.__doc__ = f"Sends {verb} with an id that nobody has."
    check(f"subject.{verb}.refuses-an-unknown-id", method=None if verb == "get" else f"subject/{verb}")(ask)


for _verb in _VERBS:
    _refuses(_verb)


@check("subject.unknown-id.category")
async def category_is_not_found(backends: Backends) -> None:
    """Sends an unknown id to each verb that takes one and is served, and looks at error.data.category."""
    backend = await backends.shared()
    for verb, params in _VERBS.items():
        if verb != "get" and not backend.offers(verb):
            continue
        reply = await backend.ask(verb, id=UNKNOWN_ID, **params)
        if reply.error is None or reply.code in REFUSALS:
            continue
        if reply.code != _INVALID:
            raise Unproven(f"{backend.method(verb)} of an unknown id got {reply}")
        if reply.category != "not_found":
            raise Failed(f"{backend.method(verb)} of an unknown id got the category {reply.category!r}: {reply}")
