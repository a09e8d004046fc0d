"""The queue: one active entry a subject, a fixed order, moves by a table, and room by arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.daemon.capacity import DaemonSettings, free_slots
from animus_core.daemon.queue import Queue
from animus_core.daemon.queue_entry import EntryStatus, priority_number
from animus_core.errors import Conflict, UnknownName
from animus_core.store.database import Database
from animus_core.store.paging import Page
from animus_core.store.paths import Scope
from animus_protocol.models.dispatch import SubjectDispatch

Dispatch = Callable[..., SubjectDispatch]
LONG_AGO, FAR_OFF = "2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


async def test_the_same_work_again_is_the_same_entry_and_other_work_on_the_subject_a_conflict(
    dispatch: Dispatch, queue: Queue
) -> None:
    first = await queue.enqueue(dispatch("A", "Build"))
    again = await queue.enqueue(dispatch("A", "build", priority="critical", minute=5))
    assert (first.created, again.created, again.entry) == (True, False, first.entry)
    with pytest.raises(Conflict, match="A is active already") as raised:
        await queue.enqueue(dispatch("A", "other"))
    assert raised.value.details == {"entry_id": first.entry.entry_id, "workflow_ref": "Build"}
    assert (await queue.enqueue(dispatch("A", "other", kind="bug"))).created
    await queue.change("drop", first.entry.entry_id)
    assert (await queue.enqueue(dispatch("A", "other"))).created


async def test_what_was_accepted_survives_a_restart_as_it_was(scope: Scope, dispatch: Dispatch) -> None:
    async with await Database.open(scope.workflow_db) as database:
        await Queue(database).enqueue(dispatch("A", priority="high"), run_at=FAR_OFF)
    async with await Database.open(scope.workflow_db) as database:
        (entry,) = (await Queue(database).page(None, Page(0, 10))).entries
        assert (entry.subject_id, entry.priority, entry.run_at) == ("A", 2, FAR_OFF)
        assert entry.read_dispatch() == dispatch("A", priority="high")


async def test_entries_leave_by_priority_then_by_the_time_of_their_request(dispatch: Dispatch, queue: Queue) -> None:
    for name, priority, minute in (
        ("late", "low", 0),
        ("second", "high", 2),
        ("first", "high", 1),
        ("zeroth", "1", 9),
        ("normal", None, 0),
    ):
        await queue.enqueue(dispatch(name, priority=priority, minute=minute))
    order = ["zeroth", "first", "second", "normal", "late"]
    assert [entry.subject_id for entry in await queue.next_ready(10, 4)] == order
    assert [entry.subject_id for entry in await queue.next_ready(2, 4)] == order[:2]
    assert [entry.subject_id for entry in await queue.next_ready(10, 2)] == order[:3]
    page = await queue.page(None, Page(0, 3))
    rest = await queue.page(None, Page.at(page.next_cursor, 3, 1))
    assert [entry.subject_id for entry in (*page.entries, *rest.entries)] == order
    assert rest.next_cursor is None


async def test_deferred_entries_wait_for_their_moment(dispatch: Dispatch, queue: Queue) -> None:
    await queue.enqueue(dispatch("later"), run_at=FAR_OFF)
    assert await queue.next_ready(10, 4) == []
    assert await queue.next_due_at() == FAR_OFF
    await queue.enqueue(dispatch("due"), run_at=LONG_AGO)
    assert await queue.next_due_at() == LONG_AGO
    assert [entry.subject_id for entry in await queue.next_ready(10, 4)] == ["due"]
    assert await queue.next_due_at() == FAR_OFF


async def bring_to(queue: Queue, database: Database, status: EntryStatus, dispatch: Dispatch) -> str:
    entry = (await queue.enqueue(dispatch("A"))).entry
    if status is EntryStatus.ASSIGNED:
        await database.write(lambda tx: tx.execute("queue_assign", run_id="run-1", entry_id=entry.entry_id))
    elif status is EntryStatus.HELD:
        await queue.change("hold", entry.entry_id, "why")
    elif status is not EntryStatus.PENDING:
        values = {"entry_id": entry.entry_id, "status": status, "hold_reason": None, "ended_at": LONG_AGO}
        await database.write(lambda tx: tx.execute("queue_move", **values))
    return entry.entry_id


@pytest.mark.parametrize("status", EntryStatus)
@pytest.mark.parametrize("verb", ["hold", "release", "drop"])
async def test_operators_move_entries_by_a_table_and_a_refused_move_changes_nothing(
    verb: str, status: EntryStatus, dispatch: Dispatch, queue: Queue, database: Database
) -> None:
    legal = {
        ("hold", EntryStatus.PENDING): EntryStatus.HELD,
        ("release", EntryStatus.HELD): EntryStatus.PENDING,
        ("drop", EntryStatus.PENDING): EntryStatus.DROPPED,
        ("drop", EntryStatus.HELD): EntryStatus.DROPPED,
    }

    entry_id = await bring_to(queue, database, status, dispatch)
    before = await database.read(lambda tx: dict(tx.one("queue_get", entry_id=entry_id) or {}))
    if (verb, status) in legal:
        moved = await queue.change(verb, entry_id, "because")
        assert moved.status is legal[verb, status]
    else:
        with pytest.raises(Conflict, match=f"cannot {verb} it") as raised:
            await queue.change(verb, entry_id)
        assert await database.read(lambda tx: dict(tx.one("queue_get", entry_id=entry_id) or {})) == before
        if status is EntryStatus.ASSIGNED:
            assert "animus workflow cancel run-1" in (raised.value.hint or "")


async def test_an_entry_is_found_by_the_id_of_its_subject_unless_that_is_ambiguous(
    dispatch: Dispatch, queue: Queue
) -> None:
    entry = (await queue.enqueue(dispatch("A"))).entry
    assert (await queue.change("hold", "A", "wait")).entry_id == entry.entry_id
    await queue.enqueue(dispatch("A", kind="bug"))
    with pytest.raises(Conflict, match=r"several kinds \(bug, task\)"):
        await queue.change("release", "A")
    with pytest.raises(UnknownName, match="no queue entry 'B'"):
        await queue.change("hold", "B")


async def test_a_broken_entry_is_held_with_its_reason_unless_somebody_moved_it_meanwhile(
    dispatch: Dispatch, queue: Queue
) -> None:
    entry = (await queue.enqueue(dispatch("A"))).entry
    await queue.hold_broken(entry, "no such workflow")
    (held,) = (await queue.page(EntryStatus.HELD, Page(0, 10))).entries
    assert held.hold_reason == "no such workflow"
    await queue.change("drop", "A")
    other = (await queue.enqueue(dispatch("A", "other"))).entry
    await queue.hold_broken(entry, "too late")
    counts = await queue.counts()
    assert (counts[EntryStatus.HELD], counts[EntryStatus.DROPPED]) == (0, 1)
    assert await queue.next_ready(1, 4) == [other]


@pytest.mark.parametrize(
    ("text", "number"), [(None, 3), ("critical", 1), ("high", 2), ("medium", 3), ("low", 4), ("1", 1), ("4", 4)]
)
def test_a_priority_is_a_name_or_a_number(text: str | None, number: int) -> None:
    assert priority_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "5", "urgent", "High", "-1", "1.0", "²", "9" * 5000])
def test_anything_else_is_no_priority(text: str) -> None:
    with pytest.raises(ValueError, match=r"priority|digits"):
        priority_number(text)


@given(
    st.integers(min_value=1, max_value=50),
    st.integers(min_value=0, max_value=60),
    st.integers(min_value=0, max_value=60),
    st.booleans(),
)
def test_room_never_exceeds_what_is_free_and_keeps_the_headroom_for_the_urgent(
    max_workflows: int, headroom: int, active: int, paused: bool
) -> None:
    free = free_slots(DaemonSettings(max_workflows, headroom), active, paused=paused)
    if paused or active >= max_workflows:
        assert free == (0, 0)
        return
    assert free.any_priority + free.urgent == max_workflows - active
    assert free.any_priority == max(0, max_workflows - active - headroom)
    assert min(free) >= 0
