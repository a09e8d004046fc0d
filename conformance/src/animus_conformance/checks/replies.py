"""What a check asks of a reply, whatever the method, where request and reply are looked at apart (protocol §3).

Where both are one step, `Host.typed` and `Host.given` do the same at once.
"""

from __future__ import annotations

from animus_conformance import oracle
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import REFUSALS, Reply
from animus_conformance.wire.observer import Observed

__all__ = ["given_reply", "require_alive", "require_result", "require_served", "require_type"]


async def given_reply(host: Host, request_id: int, what: str, within_s: float | None = None) -> Reply:
    """The answer to a request that the check only builds on. Raises Unproven for no answer and for an error."""
    try:
        reply = await host.reply(request_id, within_s)
    except Failed as failed:
        raise Unproven(f"first {failed}") from None
    if reply.error is not None:
        raise Unproven(f"first {what} was refused: {reply}")
    return reply


def require_result(method: str, reply: Reply, what: str) -> None:
    """Raises Failed for an error, in which `what` was refused; Unproven as `require_served`."""
    require_served(method, reply)
    if reply.error is not None:
        raise Failed(f"{what} was refused: {reply}")


async def require_alive(host: Host, when: str) -> None:
    """Ask `$/ping`. Raises Failed when it gets no answer."""
    try:
        await host.ask("$/ping")
    except Failed as failed:
        raise Failed(f"{when}: {failed}") from None


def require_served(method: str, reply: Reply) -> None:
    """An advertised method that is refused as unknown is the audit's business. Raises Unproven."""
    if reply.code in REFUSALS:
        raise Unproven(f"{method} is advertised and refused: {reply}")


def require_type(observed: Observed, method: str, reply: Reply) -> None:
    """Raises Failed for a result of another type; whoever sees such results later in the run need not say so again."""
    types = oracle.method_types(method)
    wrong = None if types is None or types.result is None else oracle.mismatch(types.result, reply.result)
    if wrong is not None:
        observed.note_mistyped(method)
        raise Failed(f"the result of {method} has not the protocol's type ({wrong})")
