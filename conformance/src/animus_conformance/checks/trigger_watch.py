"""Checks of the ways to watch: a second time, with other params, and no longer (protocol §4)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_alive, require_served
from animus_conformance.checks.trigger_lives import Lives, TriggerLives
from animus_conformance.checks.trigger_stream import WATCH, Caused, Stream, caused, no_answer, require_answer
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.messages import Reply

_BAD_CONFIGS: Final[tuple[Any, ...]] = (7, {"triggers": "all of them"})
_UNKNOWN_CURSORS: Final[tuple[Any, ...]] = ("a-cursor-of-another-year", 7, {"uid": 17, "folder": None})
_FOREIGN: Final = {
    "id": "nightly-report",
    "workflow_ref": "report",
    "config": {"schedule": "0 3 * * *", "time_zone": "UTC"},
}


@check("trigger.watch.second-watch", method=WATCH)
async def second_watch(processes: Processes, settings: SuiteSettings) -> None:
    """Asks for a second watch while the first one is open, then for $/ping."""
    async with processes.started() as host:
        await Stream.open(settings, host)
        second = await Stream.ask(settings, host)
        _require_served_answer(second.reply, "a second watch on the same connection")
        await require_alive(host, "after a second watch")


@check("trigger.watch.second-watch-leaves-one", method=WATCH)
async def second_watch_leaves_one(
    processes: Processes, trigger: TriggerLives, projects: Projects, settings: SuiteSettings, patience: Patience
) -> None:
    """Asks for a second watch, makes something happen, and counts how often its event is told."""
    lives = await trigger.noted()
    _require_no_surprises(lives)
    counts = Counter(event.event_id for event in lives.given(lives.first_events))
    if max(counts.values(), default=0) > 1 and lives.claims("supports_dedup"):
        raise Unproven("a single watch tells events more than once")
    async with processes.started() as host:
        stream = await Stream.open(settings, host)
        answered = (await Stream.ask(settings, host)).reply
        if no_answer(answered) is not None:
            raise Unproven(f"a second watch: {no_answer(answered)}")
        now = "was opened" if answered.error is None else "was refused"
        news = await _caused(projects, stream)
        if news.event is None:
            raise Failed(f"a second watch {now}, and now nothing is told of what happens")
        await stream.pass_time(patience.silence_s)
        count = sum(event.event_id == news.event.event_id for event in stream.events())
        if count > 1 and lives.claims("supports_dedup"):
            raise Failed(f"a second watch {now}, and now one event is told {count} times")


@check("trigger.watch.cancel-ends-it", method=WATCH)
async def cancel_ends_it(
    processes: Processes, trigger: TriggerLives, projects: Projects, settings: SuiteSettings, patience: Patience
) -> None:
    """Cancels the watch after a first event, makes something happen, and waits for longer than the first one took."""
    _require_no_surprises(await trigger.noted())
    async with processes.started() as host:
        stream = await Stream.open(settings, host)
        first = await _caused(projects, stream)
        if first.event is None:
            raise Unproven("nothing new is told of what happens")
        host.tell("$/cancelRequest", {"id": stream.request_id})
        await host.given("$/ping")
        before = {event.event_id for event in stream.events()}
        await projects.stimulate("event", host.project)
        wait_s = min(max(patience.silence_s, 2 * first.seconds), patience.event_s)
        await stream.pass_time(wait_s)
        late = {event.event_id for event in stream.events()} - before
        if late:
            raise Failed(f"after $/cancelRequest of the watch the event {min(late)!r} was told")


@check("trigger.watch.bad-config", method=WATCH)
async def refuses_bad_config(processes: Processes, trigger: TriggerLives, settings: SuiteSettings) -> None:
    """Watches with configurations of other types, each in a process of its own, then asks for $/ping."""
    await _require_opened(trigger)
    for config in _BAD_CONFIGS:
        async with processes.started() as host:
            stream = await Stream.ask(settings, host, config=config)
            what = f"{WATCH} with the configuration {json.dumps(config)}"
            _require_served_answer(stream.reply, what)
            if stream.reply.error is not None and stream.reply.code != -32602:
                raise Failed(f"{what} got {stream.reply}, and not the error -32602")
            reads = "config" in settings.params_for(WATCH)  # others may have no use for a configuration
            if stream.reply.error is None and reads and not await stream.fails():
                raise Failed(f"{what} got {stream.reply}, and no error on the stream")
            await require_alive(host, f"after {what}")


@check("trigger.watch.unknown-cursor", method=WATCH)
async def unknown_cursor(processes: Processes, trigger: TriggerLives, settings: SuiteSettings) -> None:
    """Watches with cursors that were never given out; after a refusal it watches without one."""
    await _require_opened(trigger)
    async with processes.started() as host:
        is_open = False
        for cursor in _UNKNOWN_CURSORS:
            what = f"{WATCH} with the cursor {json.dumps(cursor)}"
            reply = (await Stream.ask(settings, host, cursor=cursor)).reply
            _require_served_answer(reply, what)
            await require_alive(host, f"after {what}")
            is_open = is_open or reply.error is None
        if not is_open:
            reply = (await Stream.ask(settings, host)).reply
            if reply.error is not None:
                raise Failed(f"after watches with unknown cursors, one without a cursor got {reply}")


@check("trigger.watch.foreign-triggers", method=WATCH)
async def passes_over_foreign_triggers(
    processes: Processes, trigger: TriggerLives, settings: SuiteSettings, patience: Patience
) -> None:
    """Adds the trigger of a timetable to the configuration, watches, and makes something happen."""
    await _require_opened(trigger)
    own = settings.params_for(WATCH).get("config", {"triggers": []})
    if not isinstance(own, dict) or not isinstance(own.get("triggers"), list):
        raise Unproven(
            'the configuration in conformance.toml is not of the form {triggers = [{id = "…", config = {…}}]}'
        )
    async with processes.started() as host:
        stream = await Stream.ask(settings, host, config={**own, "triggers": [_FOREIGN, *own["triggers"]]})
        what = f"{WATCH} with the trigger of another plugin, {json.dumps(_FOREIGN)},"
        if stream.reply.error is not None:
            raise Failed(f"{what} got {stream.reply}")
        await stream.pass_time(patience.silence_s)
        if stream.failure() is not None:
            raise Failed(f"{what} was opened, and ended with {json.dumps(stream.failure()):.300}")


async def _caused(projects: Projects, stream: Stream) -> Caused:
    return await caused(projects, stream, {event.event_id: event for event in stream.events()})


def _require_no_surprises(lives: Lives) -> None:
    """Raises Unproven when events come without a cause, so that they cannot be told from those that have one."""
    if lives.given(lives.uncaused):
        raise Unproven("events come though nothing has happened")


async def _require_opened(trigger: TriggerLives) -> None:
    """Raises Unproven when an ordinary watch is not opened."""
    lives = await trigger.noted()
    opening = lives.given(lives.opening)
    if opening.error is not None:
        raise Unproven(f"first {WATCH} was refused: {opening}")


def _require_served_answer(reply: Reply, what: str) -> None:
    require_answer(reply, what)
    require_served(WATCH, reply)
