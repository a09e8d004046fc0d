"""Projectors: each fact at least once, in order, never over a person's edit; what is poison parks one subject."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.errors import PluginFailed, UnknownName
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.projectors import hooks
from animus_core.projectors.drive import PluginWaits, ProjectorTask, RoutedSubjects
from animus_core.projectors.hooks import FactView, Projector, Subjects, load_projectors
from animus_core.projectors.subject import MOVES, SubjectProjector
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_protocol.errors import Code, NotFound, RpcError

STATUSES = ["ready", "in-progress", "blocked", "done", "cancelled"]
NEXT = {"started": "in-progress", "completed": "done", "failed": "blocked", "blocked": "blocked", "cancelled": "ready"}
EXPECTED = {
    "started": {"ready", "blocked"},
    "completed": {"in-progress"},
    "failed": {"in-progress"},
    "blocked": {"in-progress"},
    "cancelled": {"in-progress", "blocked"},
}


class Tracker:
    """Somebody's system of record; `trouble` is raised for a subject as often as it is listed."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.moves: list[tuple[str, str]] = []
        self.trouble: dict[str, list[Exception]] = {}

    async def status_of(self, kind: str, subject_id: str) -> str | None:
        if self.trouble.get(subject_id):
            raise self.trouble[subject_id].pop(0)
        return self.statuses.get(subject_id)

    async def move(self, kind: str, subject_id: str, status: str) -> None:
        self.statuses[subject_id] = status
        self.moves.append((subject_id, status))


def fact(kind: str, subject: str = "A", seq: int = 1) -> FactView:
    return FactView(seq, f"run-1:{seq}", "run-1", "task", subject, kind, "2026-01-01T00:00:00.000Z", {})


@pytest.mark.parametrize("kind", [*MOVES, "runner-crashed"])
@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_moves_only_from_the_expected_ones_and_a_replay_is_harmless(kind: str, status: str) -> None:
    tracker = Tracker(A=status)
    moved = status in EXPECTED.get(kind, set()) and status != NEXT[kind]
    for _ in range(2):
        await SubjectProjector().project(fact(kind), tracker)
    assert tracker.moves == ([("A", NEXT[kind])] if moved else [])


async def test_a_subject_that_nobody_serves_is_left_alone() -> None:
    tracker = Tracker()
    await SubjectProjector().project(fact("started"), tracker)
    assert tracker.moves == []


class World:
    """A database with facts, and a projector at work on them."""

    def __init__(self, database: Database, tracker: Tracker, projector: Projector | None = None) -> None:
        self.database, self.tracker, self.commit_signal = database, tracker, CommitSignal()
        subjects = cast(RoutedSubjects, tracker)
        self.task = ProjectorTask(
            projector or SubjectProjector(),
            database,
            subjects,
            self.commit_signal.wait_newer_than,
            PluginWaits(0.01, 0.01),
        )

    async def state(self, kind: str, subject: str) -> None:
        """Commit a fact, and publish."""

        def insert(tx: Tx) -> None:
            seq = int(tx.scalar("fact_count")) + 1
            row = {"run_id": "run-1", "subject_kind": "task", "subject_id": subject, "kind": kind, "data": "{}"}
            tx.execute("fact_insert", fact_id=f"run-1:{seq}", at="2026-01-01T00:00:00.000Z", **row)

        await self.database.write(insert)
        self.commit_signal.publish()

    async def cursor(self) -> int | None:
        found = await self.database.read(lambda tx: tx.scalar("cursor_get", projector="subject"))
        return None if found is None else int(found)

    async def parked(self) -> list[dict[str, Any]]:
        return await self.database.read(lambda tx: [dict(row) for row in tx.all("parked_list")])


Using = Callable[[Tracker], AbstractAsyncContextManager[World]]


@pytest.fixture
def using(tmp_path: Path) -> Using:
    @asynccontextmanager
    async def opened(tracker: Tracker) -> AsyncIterator[World]:
        async with await Database.open(tmp_path / "workflow.db") as database:
            yield World(database, tracker)

    return opened


async def test_facts_are_applied_in_order_and_the_cursor_survives_a_restart(using: Using) -> None:
    tracker = Tracker(A="ready", B="ready")

    async with using(tracker) as world:
        for kind, subject in (("started", "A"), ("started", "B"), ("completed", "A")):
            await world.state(kind, subject)
        await world.task.caught_up()
        assert tracker.moves == [("A", "in-progress"), ("B", "in-progress"), ("A", "done")]
        assert await world.cursor() == 3
    async with using(tracker) as world:
        tracker.moves.clear()
        tracker.statuses["A"] = "ready"
        await world.state("failed", "B")
        await world.task.caught_up()
        assert tracker.moves == [("B", "blocked")]


async def test_a_running_projector_sees_what_is_published(using: Using) -> None:
    tracker = Tracker(A="ready")

    async with using(tracker) as world:
        task = asyncio.ensure_future(world.task.run(0))
        await world.state("started", "A")
        await world.state("completed", "A")
        await world.task.caught_up()
        assert tracker.statuses["A"] == "done"
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("error", [ValueError("odd"), RpcError(Code.INVALID_PARAMS, "no"), KeyError("x")])
async def test_a_poison_fact_parks_its_subject_and_the_others_go_on(error: Exception, using: Using) -> None:
    tracker = Tracker(A="ready", B="ready")
    tracker.trouble["A"] = [error]

    async with using(tracker) as world:
        for kind, subject in (("started", "A"), ("started", "B"), ("completed", "A"), ("completed", "B")):
            await world.state(kind, subject)
        await world.task.caught_up()
        assert tracker.moves == [("B", "in-progress"), ("B", "done")]
        (row,) = await world.parked()
        assert (row["subject_id"], row["fact_seq"]) == ("A", 1)
        assert row["error"].startswith(type(error).__name__)
        assert await world.cursor() == 4


async def test_a_plugin_that_is_away_makes_the_projector_wait_and_go_on_where_it_was(using: Using) -> None:
    tracker = Tracker(A="ready")
    away = RpcError(Code.INTERNAL_ERROR, "restarting", {"category": "unavailable"})
    tracker.trouble["A"] = [PluginFailed("files", "it died", ""), away, PluginFailed("files", "it died", "")]

    async with using(tracker) as world:
        await world.state("started", "A")
        await world.state("completed", "A")
        await world.task.caught_up()
        assert tracker.moves == [("A", "in-progress"), ("A", "done")]
        assert await world.parked() == []


async def test_a_crash_between_the_move_and_the_cursor_shows_the_fact_again_and_changes_nothing(using: Using) -> None:
    tracker = Tracker(A="ready")

    async with using(tracker) as world:
        await world.state("started", "A")
        await SubjectProjector().project(fact("started"), tracker)
        tracker.statuses["A"] = "done"  # and a person closed it meanwhile
        await world.task.caught_up()
        assert (tracker.statuses["A"], await world.cursor()) == ("done", 1)


# == subjects through their plugins ==


class FakeRouter:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def get(self, kind: str, subject_id: str) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [UnknownName("no plugin serves custom"), NotFound("A")])
async def test_what_is_nowhere_has_no_status(error: Exception) -> None:
    subjects = RoutedSubjects(cast(SubjectRouter, FakeRouter(error)))
    assert await subjects.status_of("custom", "A") is None


@pytest.mark.parametrize("error", [PluginFailed("files", "it died", ""), RpcError(Code.INTERNAL_ERROR, "no")])
async def test_what_may_be_there_but_cannot_be_asked_raises(error: Exception) -> None:
    subjects = RoutedSubjects(cast(SubjectRouter, FakeRouter(error)))
    with pytest.raises(type(error)):
        await subjects.status_of("task", "A")


# == registration ==


class Foreign:
    """A projector of somebody else's distribution."""

    name = "a-foreign-one"

    async def project(self, fact: FactView, subjects: Subjects) -> None:
        """Nothing."""


class ForeignModule:
    """What its entry point names."""

    @staticmethod
    @hooks.hookimpl
    def animus_projector() -> Projector:
        return Foreign()


class Distributions:
    """Installed distributions, as pluggy sees them."""

    def __init__(self, points: list[EntryPoint]) -> None:
        self.entry_points = points
        self.metadata = {"name": "somebodys-distribution"}


def test_the_built_in_projector_registers_through_the_entry_point_like_anyones() -> None:
    assert [projector.name for projector in load_projectors()] == ["subject"]


def test_a_foreign_projector_comes_in_through_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        group, name = "animus.projectors", "foreign"

        def load(self) -> type[ForeignModule]:
            return ForeignModule

    found = [Distributions(cast("list[EntryPoint]", [Point()]))]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: found)
    assert [projector.name for projector in load_projectors()] == ["a-foreign-one"]


def test_without_any_registered_projector_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [])
    assert load_projectors() == []
