"""Checks of a notifier: the daemon's events, taken one by one and flushed (protocol §4).

Whether a message reaches anybody is outside of what can be seen from here; the answers are looked at.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from animus_conformance.checks.advertising import require_advertised, require_flags
from animus_conformance.checks.registry import check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed
from animus_conformance.wire.host import Host

_NOTIFY: Final = "notifier/notify"
_FLUSH: Final = "notifier/flush"
_SCHEMA: Final = "notifier/schema"

_AT_ONCE: Final = 100
_EVENT_TYPES: Final = ("workflow-completed", "workflow-failed", "phase-started", "daemon-started", "plugin-crashed")
_DATA: Final[tuple[Any, ...]] = (
    None,
    [],
    [1, "two", None],
    {},
    0,
    -1.5,
    True,
    "",
    "Größe geändert: 世界 \U0001f680\nsecond line",
    {"workflow_id": None, "phase": {"name": "überprüfen", "steps": [{"deep": {"deeper": [[[{}]]]}}]}},
)


@check("notifier.schema.result-has-its-type", method=_SCHEMA)
async def schema_has_its_type(processes: Processes) -> None:
    """Asks for the schema and holds it against NotifierSchema."""
    host = await processes.shared()
    await host.typed(_SCHEMA)


@check("notifier.schema.agrees-with-methods", method=_SCHEMA)
async def schema_agrees_with_methods(processes: Processes, claims: Claims) -> None:
    """Compares supports_flush with the methods that are advertised."""
    host = await processes.shared()
    require_flags(claims, await host.given(_SCHEMA), {"supports_flush": _FLUSH})


@check("notifier.notify.is-advertised")
async def notify_is_advertised(processes: Processes, claims: Claims) -> None:
    """Looks for notifier/notify among the methods of the manifest and of initialize."""
    await require_advertised(processes, claims, _NOTIFY)


@check("notifier.notify.result-has-its-type", method=_NOTIFY)
async def notify_has_its_type(processes: Processes, settings: SuiteSettings) -> None:
    """Sends an event of each of several types and holds the results against NotifierNotifyResult."""
    host = await processes.shared()
    for event_type in _EVENT_TYPES:
        await host.typed(_NOTIFY, _params(settings, _event(host.project, event_type=event_type)))


@check("notifier.notify.delivers-what-it-accepts", method=_NOTIFY)
async def notify_delivers_what_it_accepts(processes: Processes, settings: SuiteSettings) -> None:
    """Sends events of known and unknown types, and looks at delivered of those that are declined."""
    host = await processes.shared()
    for event_type in (*_EVENT_TYPES, "conformance-unheard-of"):
        result = await host.given(_NOTIFY, _params(settings, _event(host.project, event_type=event_type)))
        if not result["accepted"] and result.get("delivered"):
            raise Failed(f"an event {event_type} was not accepted, and yet delivered is {result['delivered']}")


@check("notifier.notify.unknown-event-type", method=_NOTIFY)
async def notify_takes_unknown_types(processes: Processes, settings: SuiteSettings) -> None:
    """Sends events of types that nobody has heard of."""
    host = await processes.shared()
    await _require_ordinary(settings, host)
    for event_type in ("conformance-unheard-of", "vendor.x/new_thing", "größe-geändert"):
        await _taken(settings, host, f"the event_type {event_type}", _event(host.project, event_type=event_type))


@check("notifier.notify.any-data", method=_NOTIFY)
async def notify_takes_any_data(processes: Processes, settings: SuiteSettings) -> None:
    """Sends an event with each sort of JSON value as its data."""
    host = await processes.shared()
    await _require_ordinary(settings, host)
    for data in _DATA:
        await _taken(settings, host, f"data {json.dumps(data, ensure_ascii=False)}", _event(host.project, data=data))


@check("notifier.notify.optional-fields", method=_NOTIFY)
async def notify_needs_no_optional_fields(processes: Processes, settings: SuiteSettings) -> None:
    """Sends an event without seq, one without project_root, one with neither, and one whose project_root is null."""
    host = await processes.shared()
    await _require_ordinary(settings, host)
    for left_out in ({"seq"}, {"project_root"}, {"seq", "project_root"}):
        event = {name: value for name, value in _event(host.project).items() if name not in left_out}
        await _taken(settings, host, f"no {' and no '.join(sorted(left_out))}", event)
    await _taken(settings, host, "a project_root that is null", _event(host.project, project_root=None))


@check("notifier.notify.bad-params", method=_NOTIFY)
async def notify_refuses_bad_params(processes: Processes, settings: SuiteSettings) -> None:
    """Sends params without an event, and with events that are no objects."""
    host = await processes.shared()
    await _require_ordinary(settings, host)
    wrong: tuple[dict[str, Any], ...] = ({}, {"event": None}, {"event": 7}, {"event": "workflow-completed"})
    for params in wrong:
        reply = await host.ask(_NOTIFY, params)
        if reply.code != -32602:
            raise Failed(f"{_NOTIFY} with {json.dumps(params)} got {reply}, and not the error -32602")


@check("notifier.notify.same-event-twice", method=_NOTIFY)
async def notify_takes_an_event_twice(processes: Processes, settings: SuiteSettings) -> None:
    """Sends the same event two times more, in the same words."""
    host = await processes.shared()
    event = _event(host.project)
    await host.given(_NOTIFY, _params(settings, event))
    for _ in range(2):
        await _taken(settings, host, "an id that was there before", event)


@check("notifier.notify.many-at-once", method=_NOTIFY)
async def notify_takes_many_at_once(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Sends 100 events without waiting, in its own process, and waits for all results."""
    async with processes.started() as host:
        await _require_ordinary(settings, host)
        ids = [
            host.send(claims.method(_NOTIFY), _params(settings, _event(host.project, number)))
            for number in range(_AT_ONCE)
        ]
        for number, request_id in enumerate(ids, start=1):
            reply = await host.reply(request_id)
            if reply.error is not None:
                raise Failed(f"of {_AT_ONCE} events at once, number {number} got {reply}")


@check("notifier.flush.result-has-its-type", method=_FLUSH)
async def flush_has_its_type(processes: Processes, settings: SuiteSettings) -> None:
    """Sends events, asks for a flush, and holds the result against NotifierFlushResult."""
    host = await processes.shared()
    await _send_some(settings, host)
    await host.typed(_FLUSH)


@check("notifier.flush.nothing-held-back", method=_FLUSH)
async def flush_takes_nothing_held_back(processes: Processes, settings: SuiteSettings) -> None:
    """Sends events and asks for three flushes, one right behind the other."""
    host = await processes.shared()
    await _send_some(settings, host)
    await host.given(_FLUSH)
    for _ in range(2):
        await host.result(_FLUSH)


@check("notifier.flush.of-a-project", method=_FLUSH)
async def flush_takes_a_project(processes: Processes, settings: SuiteSettings) -> None:
    """Asks for flushes of the project, of one that nobody has heard of, and of a project that is null."""
    host = await processes.shared()
    await _send_some(settings, host)
    await host.given(_FLUSH)
    for project_root in (str(host.project), "/srv/no such project", None):
        await _send_some(settings, host)
        await host.result(_FLUSH, settings.params_for(_FLUSH, project_root=project_root))


def _event(project: Path, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A new event of the daemon, with every member, unless `changes` say otherwise."""
    return {
        "schema": "animus.daemon-event.v1",
        "id": f"evt-{uuid4().hex}",
        "seq": number,
        "timestamp": datetime.now(UTC).isoformat(),
        "event_type": _EVENT_TYPES[0],
        "project_root": str(project),
        "data": {"workflow_id": f"wf-{number}", "task_id": "TASK-17", "status": "completed"},
        **changes,
    }


def _params(settings: SuiteSettings, event: dict[str, Any]) -> dict[str, Any]:
    return settings.params_for(_NOTIFY, event=event)


async def _send_some(settings: SuiteSettings, host: Host) -> None:
    """Send an event of each of several types; whether they are taken is looked at elsewhere."""
    for event_type in _EVENT_TYPES:
        await host.given(_NOTIFY, _params(settings, _event(host.project, event_type=event_type)))


async def _require_ordinary(settings: SuiteSettings, host: Host) -> None:
    """Raises Unproven when an ordinary event is not answered as it should be."""
    # Who refuses everything has refused nothing for its params, and who takes nothing has not failed for this event.
    await host.given(_NOTIFY, _params(settings, _event(host.project)))


async def _taken(settings: SuiteSettings, host: Host, what: str, event: dict[str, Any]) -> None:
    """Send an event that has to get a result. Raises Failed, and Unproven where the result has another type."""
    try:
        await host.result(_NOTIFY, _params(settings, event))
    except Failed as failed:
        raise Failed(f"an event with {what}: {failed}") from None
