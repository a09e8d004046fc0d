"""`animus watch`: every run as it happens; drawn on a terminal, a line an event elsewhere.

Below lie the control client's event stream and `live_view.py`.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.cli.watch.live_view import RunRow, RunsView, describe, render
from animus_core.control.client import Control, connect_control
from animus_core.store.paths import Scope
from animus_protocol.connection import Notification
from animus_protocol.models.base import Empty
from animus_protocol.models.control import daemon as wire
from animus_protocol.models.control import queue as queue_wire
from animus_protocol.models.control import workflow as workflow_wire

__all__ = ["follow", "wait_for_news", "watch"]

_POLL_S: Final = 0.2
"""A person notices no such delay. Only while no run is seen at work: that a runner has left is not an event."""
_HEARTBEAT_S: Final = 5.0  # as the daemon's own, should an event be missing
_LAST_EVENTS_S: Final = 2.0  # a row whose end no event reports must not hold the command


def watch(args: argparse.Namespace, output: Output) -> int:
    """Show runs until interrupted, or until nothing is queued or running."""
    scope = scope_of(args)
    view = RunsView()

    async def idle(control: Control, news: asyncio.Event) -> None:
        await _idle(control, view, news)

    until = idle if args.until_idle else None
    try:
        asyncio.run(follow(scope, view, until, Console(stderr=output.json_mode)))
    except KeyboardInterrupt:
        pass
    if output.json_mode:
        output.result({"runs": [row.to_json() for row in view.rows.values()]}, "")
    return 0


async def follow(
    scope: Scope,
    view: RunsView,
    until: Callable[[Control, asyncio.Event], Any] | None,
    console: Console,
    *,
    since: str | None = None,
) -> None:
    """Feed `view` with events and show it. `until(control, news)` is awaited and ends it; None: the daemon's end does.

    `news` is set after each event.
    """
    changed, news = asyncio.Event(), asyncio.Event()

    def take(notification: Notification) -> None:
        if notification.method != wire.DAEMON_EVENT.name:
            return
        event = wire.DaemonEvent.model_validate(notification.params["data"])
        payload = event.payload if isinstance(event.payload, dict) else {}
        row = view.take(event.kind, event.occurred_at.isoformat(), payload)
        if row is not None:
            _say(console, row, event.kind)
            changed.set()
        news.set()

    async with connect_control(scope, take) as control:
        # Subscribed before the tables are read: what changes in between comes as an event.
        await control.call(wire.DAEMON_EVENTS, wire.DaemonEventsParams(since=since))
        if since is None:
            await _seed(control, view)
        end = asyncio.ensure_future(until(control, news) if until is not None else control.ended())
        # Watched beside `until`, which asks a daemon that may have left.
        gone = asyncio.ensure_future(control.ended())
        try:
            if console.is_terminal:
                with Live(render(view.rows.values()), console=console, refresh_per_second=10) as live:
                    while not end.done() and not gone.done():
                        waiter = asyncio.ensure_future(changed.wait())
                        await asyncio.wait([waiter, end, gone], return_when=asyncio.FIRST_COMPLETED)
                        waiter.cancel()
                        changed.clear()
                        live.update(render(view.rows.values()))
            else:
                await asyncio.wait([end, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        await end


def _say(console: Console, row: RunRow, kind: str) -> None:
    if not console.is_terminal:
        line = describe(row, kind)
        if line is not None:
            console.file.write(line + "\n")
            console.file.flush()


async def _seed(control: Control, view: RunsView) -> None:
    """What is queued and running already, whose events are in the past."""
    queued = await control.call(queue_wire.QUEUE_LIST, queue_wire.QueueListParams())
    for entry in queued.entries:
        # As if the events came now, so that there is one way to make a row.
        view.take("queue_enqueued", "", {"subject_id": entry.subject_id})
    params = workflow_wire.WorkflowListParams(status=workflow_wire.WorkflowStatus.RUNNING)
    for run in (await control.call(workflow_wire.WORKFLOW_LIST, params)).runs:
        began = {"subject_id": run.subject_id, "workflow_id": run.id}
        view.take("workflow_started", run.started_at.isoformat(), began)
        if run.current_phase is not None:
            view.take("phase_started", "", {**began, "phase": run.current_phase, "attempt": run.attempt or 1})


async def _idle(control: Control, view: RunsView, news: asyncio.Event) -> None:
    """Return when nothing is queued or running and the view has seen the end of all that it shows."""
    while True:
        # Before the question: what happens from here on asks again.
        news.clear()
        status = await control.call(wire.DAEMON_STATUS, Empty())
        if not status.queued and not status.active_runs:
            break
        at_work = any(row.status == "running" for row in view.rows.values())
        await wait_for_news(news, _HEARTBEAT_S if at_work else _POLL_S)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LAST_EVENTS_S
    while any(row.status in ("queued", "running") for row in view.rows.values()) and loop.time() < deadline:
        news.clear()
        await wait_for_news(news, deadline - loop.time())


async def wait_for_news(news: asyncio.Event, timeout_s: float) -> None:
    """Return after the next event, or after `timeout_s` seconds without one."""
    try:
        async with asyncio.timeout(timeout_s):
            await news.wait()
    except TimeoutError:
        return
