"""Checks of the changes that a subject backend's watch tells (protocol §4)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from animus_conformance.checks.registry import CheckFunction, check
from animus_conformance.checks.subject_backend import Backend, Backends
from animus_conformance.checks.subject_stream import (
    CHANGED,
    SHOWN,
    SubjectChange,
    Watch,
    ask_to_watch,
    changes_of,
    is_for,
    named,
    showing,
    shows,
)
from animus_conformance.patience import Patience
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS


def _after_each_change(judge: Callable[[Watch, SubjectChange], Awaitable[None]]) -> CheckFunction:
    """A check that opens a watch, makes every change that is served, and looks at what is told of each."""

    async def check_each(backends: Backends, projects: Projects) -> None:
        backend = await backends.shared()
        async with Watch.opened(backend) as watch, contextlib.aclosing(changes_of(watch, projects)) as changes:
            async for change in changes:
                await judge(watch, change)

    check_each.__doc__ = judge.__doc__
    return check_each


@check("subject.watch.has-its-type", method="subject/watch")
async def watch_has_its_type(backends: Backends) -> None:
    """Opens a watch, holds the result against {watching: true}, and ends it."""
    backend = await backends.shared()
    request_id, reply = await ask_to_watch(backend)
    if reply.code in REFUSALS:
        raise NotAdvertised(f"{backend.method('watch')} is refused with {reply.code}, so that hosts poll")
    backend.require_type("watch", reply)
    await Watch(backend, request_id, 0).end()


@check("subject.watch.tells-every-change", method="subject/watch")
@_after_each_change
async def tells_every_change(watch: Watch, change: SubjectChange) -> None:
    """Creates, updates, moves and deletes a subject, whichever is served, and waits for an event each time."""
    if await watch.event_about(change.subject) is None:
        raise Failed(f"after {change.what} of {change.subject['id']} no {CHANGED} came")


@check("subject.watch.events-have-their-type", method="subject/watch")
@_after_each_change
async def events_have_their_type(watch: Watch, change: SubjectChange) -> None:
    """Holds the event after each change against SubjectChangedParams."""
    params = await watch.event_about(change.subject)
    if params is None:
        raise Unproven(f"nothing was told after {change.what}")
    wrong = watch.mismatch(params)
    if wrong is not None:
        raise Failed(f"{CHANGED} after {change.what}: {wrong}")


@check("subject.watch.event-ids", method="subject/watch")
@_after_each_change
async def event_ids(watch: Watch, change: SubjectChange) -> None:
    """Compares the id of the event after each change with the watch's and the subject's."""
    params = await watch.given_event(change)
    if await watch.event_about(change.subject, is_for(watch.id)) is None:
        known = f"the watch's is {watch.id}, the subject's {params['subject']['id']!r}"
        raise Failed(f"{CHANGED} after {change.what} has the id {params['id']!r}; {known}")


@check("subject.watch.change-kinds", method="subject/watch")
@_after_each_change
async def change_kinds(watch: Watch, change: SubjectChange) -> None:
    """Waits for an event with the right change_kind after each change."""
    first = await watch.given_event(change)
    if await watch.event_about(change.subject, named(change.kinds)) is None:
        wanted = " or ".join(sorted(change.kinds))
        raise Failed(f"after {change.what} the change_kind is {first['change_kind']!r}, and not {wanted}")


@check("subject.watch.subject-is-current", method="subject/watch")
@_after_each_change
async def subject_is_current(watch: Watch, change: SubjectChange) -> None:
    """Waits for an event that shows the subject as get shows it after each change."""
    first = await watch.given_event(change)
    now = await watch.backend.fetch(first["subject"]["id"]) if change.is_outside else change.subject
    if await watch.event_about(now, showing([now])) is None:
        shown, wanted = ({name: subject.get(name) for name in SHOWN} for subject in (first["subject"], now))
        raise Failed(f"after {change.what} the subject is {wanted}, and {CHANGED} shows {shown}")


@check("subject.watch.filter", method="subject/watch")
async def watch_filters(processes: Processes, backends: Backends, projects: Projects) -> None:
    """Watches what is done, moves a subject to in-progress and then to done, and looks at what is told."""
    await processes.shared()
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(backends.started())
        if not backend.offers("status") and not backend.offers("update"):
            await _nothing_passes(backend, projects)
            return
        subject = await stack.enter_async_context(backend.any_subject(status="ready"))
        watch = await stack.enter_async_context(Watch.opened(backend, status=["done"]))
        await backend.move(subject, "in-progress")
        if not await backend.move(subject, "done"):
            raise Unproven("nothing can be moved to done")
        event = await watch.event_about(subject)
        if event is None:
            raise Failed(f"{subject['id']} was moved to done, and a watch with status [done] was not told")
        if watch.mismatch(event) is not None:
            raise Unproven(f"{CHANGED} has not the protocol's type ({watch.mismatch(event)})")
        if event["subject"]["status"] != "done":
            raise Failed(f"{subject['id']} was not done yet, and a watch with status [done] was told: {event}")


@check("subject.watch.two-watches", method="subject/watch")
async def two_watches(backends: Backends, projects: Projects) -> None:
    """Opens two watches on one connection and waits for both to tell of a change."""
    backend = await backends.shared()
    async with Watch.opened(backend) as first, contextlib.aclosing(changes_of(first, projects)) as changes:
        second_id, reply = await ask_to_watch(backend)
        if reply.error is not None:
            raise Failed(f"the second {backend.method('watch')} was refused: {reply}")
        change = await anext(changes)
        await first.given_event(change)
        serving = [
            watch_id
            for watch_id in (first.id, second_id)
            if await first.event_about(change.subject, is_for(watch_id)) is not None
        ]
        await Watch(backend, second_id, 0).end()
        if not serving:
            raise Unproven(f"{CHANGED} has ids that belong to neither of the two")
        if len(serving) == 1:
            raise Failed(f"of two watches, {first.id} and {second_id}, only {serving[0]} was told of {change.what}")


@check("subject.watch.ends", method="subject/watch")
async def watch_ends(processes: Processes, backends: Backends, patience: Patience, projects: Projects) -> None:
    """Ends a watch that has told of a change, makes more changes, and waits a while for what may not come."""
    await processes.shared()
    clock = asyncio.get_running_loop().time
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(backends.started())
        watch = await stack.enter_async_context(Watch.opened(backend))
        changes = await stack.enter_async_context(contextlib.aclosing(changes_of(watch, projects)))
        first = await anext(changes)
        began = clock()
        await watch.given_event(first)
        latency_s = clock() - began
        how = await watch.end()
        ended_at = backend.host.notifications.count
        later = [
            change.subject async for change in changes if change.is_outside or not shows(first.subject, change.subject)
        ]
        if not later:
            raise Unproven(f"after {first.what} nothing else can be changed")
        watch.mark(ended_at)
        # An event that takes twice as long as the first one did is still seen.
        within_s = patience.silence_s + 2 * latency_s
        late = await watch.event_about(first.subject, showing(later), within_s)
        if late is not None:
            raise Failed(f"the watch {watch.id} was ended by {how}, and then it told {late}")


async def _nothing_passes(backend: Backend, projects: Projects) -> None:
    """A change outside, with one watch for everything and one whose filter nothing passes. Raises Failed, Unproven."""
    async with Watch.opened(backend) as watch, Watch.opened(backend, labels_any=["nobody-has-this"]) as narrow:
        async with contextlib.aclosing(changes_of(watch, projects)) as changes:
            subject = (await watch.given_event(await anext(changes)))["subject"]
        ids = (narrow.id, str(narrow.id))
        wrong = await narrow.event_about(
            subject, lambda params: params.get("id") in ids, backend.host.patience.silence_s
        )
        if wrong is not None:
            raise Failed(f"a watch for a label that nothing has was told: {wrong}")
