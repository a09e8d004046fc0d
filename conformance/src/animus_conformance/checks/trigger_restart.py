"""Checks of events and acknowledgements over the end of a trigger's process, regular or not (protocol §4)."""

from __future__ import annotations

from collections.abc import Collection

from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_served, require_type
from animus_conformance.checks.trigger_lives import Lives, TriggerLives
from animus_conformance.checks.trigger_stream import ACK, WATCH, ReceivedEvent, ack_params, answer, require_answer
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import Reply
from animus_conformance.wire.observer import Observed

_BY_NOTIFICATION, _BY_REQUEST, _LEFT = range(3)


@check("trigger.restart.watches-on", method=WATCH)
async def watches_on(trigger: TriggerLives, patience: Patience) -> None:
    """Shuts the plugin down, starts it anew in the same project, watches, and makes something happen."""
    lives = await trigger.noted()
    reply = lives.given(lives.reopening)
    if reply.error is not None:
        raise Failed(f"after a restart {WATCH} got {reply}")
    again = lives.given(lives.caused_again)
    if again.failure is not None:
        raise Failed(f"after a restart the stream ended with {again.failure}")
    if again.event is None and again.clash is None:
        raise Failed(f"after a restart nothing new is told of what happens, within {patience.event_s:g} s")


@check("trigger.restart.tells-what-is-left", method=WATCH)
async def tells_what_is_left(trigger: TriggerLives) -> None:
    """Looks in the second process for an event that was told in the first and not acknowledged."""
    lives = await trigger.noted()
    lives.require_claim("supports_resume")
    left = lives.event(_LEFT)
    if left.event_id not in _ids(lives.given(lives.second_events)):
        _require_no_strangers(lives)  # it may have come back under another id, which another check judges
        raise Failed(
            f"the schema says supports_resume, and the event {left.event_id!r}, which was told and not acknowledged, "
            f"is not told again after a restart"
        )


@check("trigger.restart.keeps-ids", method=WATCH)
async def keeps_ids(trigger: TriggerLives) -> None:
    """Compares what the second process tells, before anything new happens, with what the first one told."""
    lives = await trigger.noted()
    left = lives.event(_LEFT)
    for event in lives.strangers:
        if event.says_the_same_as(left):
            raise Failed(f"the event {left.event_id!r} is told again under the id {event.event_id!r}")
    if left.event_id in _ids(lives.given(lives.second_events)):
        return
    _require_no_strangers(lives)
    if lives.claims("supports_resume"):
        raise Unproven("an event that was not acknowledged is not told again")
    raise NotAdvertised("no event is told again after a restart, and supports_resume does not say so")


@check("trigger.restart.ids-stay-unique", method=WATCH)
async def ids_stay_unique(trigger: TriggerLives) -> None:
    """Compares the id of an event of something new in the second process with those of the first."""
    lives = await trigger.noted()
    again = lives.given(lives.caused_again)
    if again.clash is not None:
        raise Failed(f"after a restart a new event has the id {again.clash.event_id!r}, which another one had before")
    if again.event is None:
        raise Unproven("nothing new is told after a restart")


@check("trigger.ack.result-has-its-type", method=ACK)
async def ack_has_its_type(trigger: TriggerLives, observed: Observed) -> None:
    """Acknowledges an event by a request and holds the result against TriggerAckResult."""
    require_type(observed, ACK, await _ack_reply(trigger))


@check("trigger.ack.names-its-event", method=ACK)
async def ack_names_its_event(trigger: TriggerLives) -> None:
    """Compares event_id of the result with that of the request."""
    try:
        reply = await _ack_reply(trigger)
    except Failed as failed:
        raise Unproven(str(failed)) from None
    event_id = reply.result.get("event_id") if isinstance(reply.result, dict) else None
    if not isinstance(event_id, str):
        raise Unproven(f"the result of {ACK} names no event")
    asked = (await trigger.noted()).event(_BY_REQUEST).event_id
    if event_id != asked:
        raise Failed(f"the event {asked!r} was acknowledged, and the answer is about {event_id!r}")


@check("trigger.ack.twice", method=ACK)
async def ack_twice(trigger: TriggerLives) -> None:
    """Acknowledges an event by a request a second time, then asks for $/ping."""
    await _ack_reply_given(trigger)
    lives = await trigger.noted()
    for reply in (lives.given(lives.ack_again_reply), lives.given(lives.ping_reply)):
        require_answer(reply, "after a second acknowledgement of one event")


@check("trigger.ack.is-final", method=ACK)
async def ack_is_final(trigger: TriggerLives) -> None:
    """Looks in the second process for an event that was acknowledged in the first, by a notification."""
    _require_done(await _acknowledged(trigger), _BY_NOTIFICATION, "a notification")


@check("trigger.ack.request-counts", method=ACK)
async def ack_request_counts(trigger: TriggerLives) -> None:
    """Looks in the second process for an event that was acknowledged in the first, by a request."""
    lives = await _acknowledged(trigger)
    _require_not(lives, _BY_NOTIFICATION)
    _require_done(lives, _BY_REQUEST, "a request")


@check("trigger.ack.survives-a-kill", method=ACK)
async def ack_survives_a_kill(trigger: TriggerLives) -> None:
    """Looks in the third process for an event that was acknowledged by a request right before the second was killed."""
    lives = await _acknowledged(trigger)
    for number in (_BY_NOTIFICATION, _BY_REQUEST):
        _require_not(lives, number)
    _require_no_strangers(lives)
    done = lives.event(_LEFT)
    if done.event_id in _ids(lives.given(lives.third_events)):
        raise Failed(f"the event {done.event_id!r} was acknowledged, and is told after the process was killed")


@check("trigger.ack.unknown-event", method=ACK)
async def ack_of_an_unknown_event(processes: Processes, settings: SuiteSettings) -> None:
    """Acknowledges events that never were, by a notification and by a request."""
    host = await processes.shared()
    await host.given("$/ping")
    for event_id in ("an-event-that-never-was", ""):
        params = ack_params(settings, event_id)
        host.tell(ACK, params)
        reply = await answer(host, ACK, params)
        require_answer(reply, f"{ACK} of an unknown event")
        await host.ask("$/ping")


def _ids(events: Collection[ReceivedEvent]) -> set[str]:
    return {event.event_id for event in events}


def _require_no_strangers(lives: Lives) -> None:
    """Raises Unproven when events came back under other ids: which of them is which cannot be said."""
    if lives.strangers:
        raise Unproven(f"after a restart unknown events are told, the first with id {lives.strangers[0].event_id!r}")


def _require_done(lives: Lives, number: int, how: str) -> None:
    """Raises Failed when an event that was acknowledged in the first process is told in the second."""
    done = lives.event(number)
    if done.event_id in _ids(lives.given(lives.second_events)):
        raise Failed(f"the event {done.event_id!r} was acknowledged by {how}, and is told after a restart")
    _require_no_strangers(lives)


def _require_not(lives: Lives, number: int) -> None:
    """The same where that is not the point. Raises Unproven."""
    if lives.event(number).event_id in _ids(lives.given(lives.second_events)):
        raise Unproven("events come back after a restart though they were acknowledged in another way")


async def _acknowledged(trigger: TriggerLives) -> Lives:
    """The lives of a trigger that waits for acknowledgements. Raises NotAdvertised for another."""
    lives = await trigger.noted()
    lives.require_claim("supports_ack")
    return lives


async def _ack_reply(trigger: TriggerLives) -> Reply:
    """The answer to an acknowledgement by request. Raises Failed when it was refused."""
    lives = await trigger.noted()
    reply = lives.given(lives.ack_reply)
    require_answer(reply, f"{ACK} of an event that was told")
    require_served(ACK, reply)
    if reply.error is not None:
        raise Failed(f"{ACK} of an event that was told got {reply}")
    return reply


async def _ack_reply_given(trigger: TriggerLives) -> None:
    """Raises Unproven when the first acknowledgement by request got no result."""
    try:
        await _ack_reply(trigger)
    except Failed as failed:
        raise Unproven(f"first {failed}") from None
