"""Checks of what a trigger says it does, and of the events that it tells (protocol §4).

What holds over the end of a process is looked at in `trigger_restart.py`, the ways to watch in `trigger_watch.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from animus_conformance.checks.advertising import require_advertised
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_result, require_type
from animus_conformance.checks.trigger_lives import TriggerLives
from animus_conformance.checks.trigger_stream import ACK, EVENT, SCHEMA, WATCH, event_mismatch, require_answer
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.observer import Observed

_HOW_TO_CONFIGURE = 'conformance.toml: [params."trigger/watch"] config = {triggers = [{id = "…", config = {…}}]}'


@check("trigger.schema.result-has-its-type", method=SCHEMA)
async def schema_has_its_type(processes: Processes) -> None:
    """Asks for the schema and holds it against TriggerSchema."""
    host = await processes.shared()
    await host.typed(SCHEMA)


@check("trigger.schema.agrees-with-methods", method=SCHEMA)
async def schema_agrees_with_methods(processes: Processes, claims: Claims) -> None:
    """Looks for trigger/ack among the advertised methods where supports_ack is true."""
    host = await processes.shared()
    schema = await host.given(SCHEMA)
    if schema["supports_ack"] and ACK not in claims.advertised:
        raise Failed(f"supports_ack is true, and {ACK} is not among the advertised methods")


@check("trigger.watch.is-advertised")
async def watch_is_advertised(processes: Processes, claims: Claims) -> None:
    """Looks for trigger/watch among the methods of the manifest and of initialize."""
    await require_advertised(processes, claims, WATCH)


@check("trigger.watch.result-has-its-type", method=WATCH)
async def watch_has_its_type(trigger: TriggerLives, settings: SuiteSettings, observed: Observed) -> None:
    """Watches with the configuration of the settings and holds the result against Watching."""
    lives = await trigger.noted()
    reply = lives.given(lives.opening)
    require_answer(reply, f"{WATCH} as the settings configure it")
    # Not the plugin's fault: what it has to watch is for its author to say.
    if reply.code == -32602 and "config" not in settings.params_for(WATCH):
        raise Unproven(f"it does not watch without a configuration ({reply}): give it one in {_HOW_TO_CONFIGURE}")
    require_result(WATCH, reply, WATCH)
    require_type(observed, WATCH, reply)


@check("trigger.watch.silent-without-cause", method=WATCH)
async def silent_without_cause(trigger: TriggerLives) -> None:
    """Watches a new project in which nothing happens, and waits for a short while."""
    lives = await trigger.noted()
    events = lives.given(lives.uncaused)
    if events:
        raise Failed(
            f"nothing has happened, and {len(events)} events came, the first with the id {events[0].event_id!r}"
        )


@check("trigger.event.comes", method=WATCH)
async def event_comes(trigger: TriggerLives, patience: Patience) -> None:
    """Makes something happen three times while it watches, and waits for an event each time."""
    lives = await trigger.noted()
    for number, cause in enumerate(lives.caused or lives.given(None), start=1):
        if cause.failure is not None:
            raise Failed(f"when something happened, the stream ended with {json.dumps(cause.failure):.300}")
        if cause.event is None and cause.clash is None:
            nth = f"the time number {number}" if number > 1 else "the first time"
            raise Failed(f"within {patience.event_s:g} s nothing new is told of what happened {nth}")


@check("trigger.event.has-its-type", method=WATCH)
async def event_has_its_type(trigger: TriggerLives) -> None:
    """Holds everything that was told in all processes that watched against TriggerEventParams."""
    lives = await trigger.noted()
    notifications = [notification for host in lives.hosts for notification in host.notifications.since(0)]
    events = [notification.params for notification in notifications if notification.method == EVENT]
    for params in events or lives.given(None):
        wrong = event_mismatch(params)
        if wrong is not None:
            raise Failed(f"the params of an event have not the protocol's type ({wrong}): {json.dumps(params):.300}")


@check("trigger.event.id-is-unique", method=WATCH)
async def event_id_is_unique(trigger: TriggerLives) -> None:
    """Compares the ids of the events of what happened three times, one after the other."""
    lives = await trigger.noted()
    for cause in lives.caused or lives.given(None):
        if cause.clash is not None:
            raise Failed(f"two events that say different things have the id {cause.clash.event_id!r}")
    lives.given(lives.first_events)


@check("trigger.event.is-told-once", method=WATCH)
async def event_comes_once(trigger: TriggerLives) -> None:
    """Counts the ids of the first process, a while after the last event."""
    lives = await trigger.noted()
    lives.require_claim("supports_dedup")
    counts = Counter(event.event_id for event in lives.given(lives.first_events))
    often = [event_id for event_id, count in counts.items() if count > 1]
    if often:
        raise Failed(
            f"the schema says supports_dedup, and one watch told the event {often[0]!r} {counts[often[0]]} times"
        )


@check("trigger.event.names-its-trigger", method=WATCH)
async def event_names_its_trigger(trigger: TriggerLives, settings: SuiteSettings) -> None:
    """Looks for the trigger_id of each event among the triggers of the settings' configuration."""
    lives = await trigger.noted()
    named = {event.trigger_id for event in lives.given(lives.first_events)} - {None}
    configured = _configured(settings.params_for(WATCH).get("config"))
    if named and not configured:
        raise Unproven(f"events name the trigger {min(map(str, named))!r}: say which there are in {_HOW_TO_CONFIGURE}")
    if named - configured:
        raise Failed(
            f"an event has the trigger_id {min(map(str, named - configured))!r}, and configured are "
            f"{', '.join(sorted(configured))}"
        )


def _configured(config: Any) -> set[Any]:
    """The ids of the triggers in a configuration as daemons forward it."""
    rows = config.get("triggers") if isinstance(config, dict) else None
    return {row["id"] for row in rows if isinstance(row, dict) and "id" in row} if isinstance(rows, list) else set()
