"""Checks of agent/cancel and $/cancelRequest: a run that ends before its end (protocol §4)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from animus_conformance import oracle
from animus_conformance.checks.provider_session import LASTING, Provider, Providers, ProviderSession, succeeded
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_served, require_type
from animus_conformance.patience import Patience
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import Reply
from animus_conformance.wire.observer import Observed

_CANCELLED: Final = -32002


class Cancelled(NamedTuple):
    """A run that was cancelled after `notified` notifications of its process. `end` is None when it got no answer."""

    session: ProviderSession
    notified: int
    answer: Mapping[str, Any]
    end: Reply | None


@check("provider.cancel.result-has-its-type", method="agent/cancel")
async def result_has_its_type(providers: Providers, patience: Patience, observed: Observed) -> None:
    """Cancels a run and holds the result against AgentCancelResponse."""
    provider = await providers.shared()
    session = await provider.running()
    reply = await provider.host.ask("agent/cancel", {"session_id": session.id})
    end = await session.ended_within(patience.answer_s)
    require_served("agent/cancel", reply)
    if reply.error is not None:
        if end is not None:
            provider.require_early_end(end)
        raise Failed(f"agent/cancel of a running session was refused: {reply}")
    require_type(observed, "agent/cancel", reply)


@check("provider.cancel.names-its-session", method="agent/cancel")
async def names_its_session(providers: Providers) -> None:
    """Compares session_id of the answer with the one that was sent."""
    cancelled = await _cancelled(providers)
    if cancelled.answer["session_id"] != cancelled.session.id:
        raise Failed(f"{cancelled.session.id!r} was cancelled, and the answer names {cancelled.answer['session_id']!r}")


@check("provider.cancel.ends-the-run", method="agent/cancel")
async def ends_the_run(providers: Providers, patience: Patience) -> None:
    """Cancels a run and waits for its answer."""
    cancelled = await _cancelled(providers)
    if cancelled.end is None:
        limit_s = patience.answer_s
        raise Failed(f"{limit_s:g} s after agent/cancel got {dict(cancelled.answer)} the run has no answer")
    (await providers.shared()).require_early_end(cancelled.end)


@check("provider.cancel.run-ends-as-cancelled", method="agent/cancel")
async def run_ends_as_cancelled(providers: Providers) -> None:
    """Cancels a run and looks at its answer: -32002, or a result with an exit code that is not 0."""
    cancelled = await _cancelled(providers)
    end = _end_of(cancelled)
    (await providers.shared()).require_early_end(end)
    trouble = _no_cancelled_end(end)
    if trouble:
        raise Failed(f"after agent/cancel {trouble}")


@check("provider.cancel.tells-the-truth", method="agent/cancel")
async def tells_the_truth(providers: Providers) -> None:
    """Cancels a run and compares `cancelled` with what became of it."""
    cancelled = await _cancelled(providers)
    if succeeded(_end_of(cancelled)):
        raise Unproven(f"the run went on to its end, after agent/cancel got {dict(cancelled.answer)}")
    if cancelled.answer["cancelled"] is not True:
        raise Failed(f"agent/cancel of a running session got {dict(cancelled.answer)}, and the run ended by it")


@check("provider.cancel.error-is-not-recoverable", method="agent/cancel")
async def error_is_not_recoverable(providers: Providers) -> None:
    """Cancels a run and looks at the last agent/error between that and its end, if there is one."""
    cancelled = await _cancelled(providers)
    notifications = cancelled.session.own_notifications(_end_of(cancelled), cancelled.notified)
    errors = [notification.params for notification in notifications if notification.method == "agent/error"]
    if not errors:
        raise NotAdvertised("no agent/error came between agent/cancel and the end of the run")
    if errors[-1].get("recoverable") is not False:
        raise Failed(f"the run ended after agent/error {errors[-1]!r:.200}")


@check("provider.cancel.silence-afterwards", method="agent/cancel")
async def silence_afterwards(providers: Providers, patience: Patience) -> None:
    """Waits a moment after the end of a cancelled run for notifications of its session."""
    cancelled = await _cancelled(providers)
    late = await cancelled.session.next_notification(_end_of(cancelled).notifications_before, patience.silence_s)
    if late is not None:
        raise Failed(f"after the end of the cancelled run came {late.method} {late.params!r:.200}")


@check("provider.cancel.right-behind-the-run", method="agent/cancel")
async def right_behind_the_run(providers: Providers, patience: Patience) -> None:
    """Sends agent/cancel right behind agent/run; where that was too early, cancels again once the run has begun."""
    provider = await providers.shared()
    session = provider.run(LASTING)
    reply = await provider.host.ask("agent/cancel", {"session_id": session.id})
    said = reply.result.get("cancelled") if isinstance(reply.result, Mapping) else None
    if said is not True:
        await session.begun()
        await provider.let_go(session)
        if not session.answered:
            raise Unproven("the run cannot be cancelled later either")
        return
    if await session.ended_within(patience.answer_s) is None:
        await provider.let_go(session)
        _end_of(await _cancelled(providers))
        raise Failed(f"agent/cancel right behind agent/run got {reply}, and the run went on")


@check("provider.cancel.spares-other-sessions", method="agent/cancel")
async def spares_other_sessions(providers: Providers, patience: Patience) -> None:
    """Cancels one of two runs, and looks whether the other one goes on."""
    provider = await providers.shared()
    first = await provider.running()
    second = provider.run(LASTING)
    await second.begun()
    if second.answered:
        refusal = await second.reply()
        await provider.let_go(first)
        if refusal.error is not None:
            raise NotAdvertised(f"it runs one session at a time: the second got {refusal}")
    await provider.require_running(second)
    await provider.cancel(first)
    if await first.ended_within(patience.answer_s) is None:
        raise Unproven("the cancelled run got no answer")
    end = await second.ended_within(patience.silence_s)
    if end is None:
        await provider.let_go(second)
        return
    provider.require_early_end(end)
    raise Failed(f"session {first.id} was cancelled, and the run of session {second.id} ended with {end}")


@check("provider.cancel.works-afterwards", method="agent/cancel")
async def works_afterwards(providers: Providers) -> None:
    """Runs an ordinary prompt before and after a cancelled run, in one process."""
    async with providers.started() as provider:
        _, before = await provider.run().given()
        _end_of(await _cancel(provider))
        after = await provider.run().reply()
        if succeeded(before) and not succeeded(after):
            raise Failed(f"after a cancelled run the next one comes to {after}")


@check("provider.cancel.unknown-session", method="agent/cancel")
async def unknown_session(providers: Providers) -> None:
    """Cancels a session that never was, and one whose run is over."""
    provider = await providers.shared()
    over = provider.run()
    await over.given()
    for session_id, which in ((str(uuid.uuid4()), "nobody began"), (over.id, "is over")):
        reply = await provider.host.ask("agent/cancel", {"session_id": session_id})
        if reply.error is not None:
            continue
        wrong = oracle.mismatch("provider#/$defs/AgentCancelResponse", reply.result)
        if wrong is not None:
            raise Unproven(f"the result of agent/cancel has not the protocol's type ({wrong})")
        if reply.result["cancelled"]:
            raise Failed(f"agent/cancel of a session that {which} got {reply}")


@check("provider.cancel.cancel-request", method="agent/cancel")
async def cancel_request(providers: Providers, patience: Patience) -> None:
    """Sends $/cancelRequest for a run; where that is ignored, agent/cancel after a moment."""
    provider = await providers.shared()
    session = await provider.running()
    provider.host.tell("$/cancelRequest", {"id": session.request_id})
    end = await session.ended_within(patience.exit_s)
    if end is None:
        answer = await provider.cancel(session)
        end = await session.ended_within(patience.answer_s)
        if end is not None:
            return  # ignored
        if answer["cancelled"]:
            raise Unproven("agent/cancel does not end the run either")
        trouble = "there is no such run any more, and agent/run got no answer"
    else:
        provider.require_early_end(end)
        trouble = _no_cancelled_end(end)
    if trouble:
        by_cancel = _no_cancelled_end(_end_of(await _cancel(provider)))
        if by_cancel:
            raise Unproven(f"after agent/cancel {by_cancel}, too")
        raise Failed(f"after $/cancelRequest {trouble}")


async def _cancelled(providers: Providers) -> Cancelled:
    return await _cancel(await providers.shared())


async def _cancel(provider: Provider) -> Cancelled:
    session = await provider.running()
    notified = provider.host.notifications.count
    answer = await provider.cancel(session)
    return Cancelled(session, notified, answer, await session.ended_within(provider.host.patience.answer_s))


def _end_of(cancelled: Cancelled) -> Reply:
    if cancelled.end is None:
        raise Unproven("the cancelled run got no answer")
    return cancelled.end


def _no_cancelled_end(end: Reply) -> str:
    """What is wrong with the end of a cancelled run; empty when nothing is."""
    if end.error is not None and end.code != _CANCELLED:
        return f"the run ended with {end}, and not with {_CANCELLED}"
    return f"the run ended like one that did its work: {end}" if succeeded(end) else ""
