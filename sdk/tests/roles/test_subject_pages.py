"""Filter, order and pages that the SDK makes for a backend which only tells which subjects there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from animus_protocol.models.base import encode
from animus_protocol.models.subject import SUBJECT_LIST, SubjectSchema
from animus_sdk import InvalidParams, Subject, SubjectBackend, SubjectFilter, SubjectList, SubjectStatus, inline
from animus_sdk.subject_pages import first_ready, page_of
from animus_sdk.testing import Harness

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IDS = st.one_of(st.from_regex(r"[A-B]-[0-9]{1,3}", fullmatch=True), st.text(max_size=6), st.text("01a", max_size=4))


def subject(name: str, **fields: Any) -> Subject:
    shown = {"kind": "ticket", "title": name, "status": SubjectStatus.READY, "created_at": NOW, "updated_at": NOW}
    return Subject(id=name, **{**shown, **fields})


SUBJECTS = st.lists(
    st.builds(
        subject,
        IDS,
        priority=st.none() | st.integers(0, 4),
        status=st.sampled_from([SubjectStatus.READY, SubjectStatus.DONE]),
    ),
    unique_by=lambda one: one.id,
    max_size=25,
)


def pages(subjects: list[Subject], wanted: SubjectFilter) -> Iterator[SubjectList]:
    """Page after page, as a host asks for them; what it sends back may change `subjects`."""
    cursor = None
    while True:
        page = page_of(subjects, wanted.model_copy(update={"cursor": cursor}))
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


@given(SUBJECTS, st.integers(1, 30))
def test_pages_of_any_limit_join_to_the_whole_sorted_list(subjects: list[Subject], limit: int) -> None:
    wanted = SubjectFilter(status=[SubjectStatus.READY], limit=limit)
    found = [one for page in pages(subjects, wanted) for one in page.subjects]
    assert found == page_of(subjects, SubjectFilter(status=[SubjectStatus.READY])).subjects
    assert sorted(one.id for one in found) == sorted(one.id for one in subjects if one.status == "ready")
    assert all(len(page.subjects) <= limit for page in pages(subjects, wanted))
    priorities = [3 if one.priority is None else one.priority for one in found]
    assert priorities == sorted(priorities)


@given(SUBJECTS, st.integers(1, 5), st.data())
def test_what_is_there_all_the_time_is_told_exactly_once_while_others_come_and_go(
    subjects: list[Subject], limit: int, data: st.DataObject
) -> None:
    present, stays = list(subjects), {one.id for one in subjects}
    ids_seen: list[str] = []
    for page in pages(present, SubjectFilter(limit=limit)):
        ids_seen += [one.id for one in page.subjects]
        if present and data.draw(st.booleans()):
            gone = present.pop(data.draw(st.integers(0, len(present) - 1)))
            stays.discard(gone.id)
        new = data.draw(IDS)
        if len(present) < 40 and new not in {one.id for one in subjects} | {one.id for one in present} | set(ids_seen):
            present.append(subject(new))
    assert all(ids_seen.count(name) == 1 for name in stays)
    assert len(ids_seen) == len(set(ids_seen))


@given(st.text(max_size=60))
def test_a_cursor_of_somebody_else_is_refused_and_never_breaks(cursor: str) -> None:
    with pytest.raises(InvalidParams, match="list again without a cursor"):
        page_of([subject("a")], SubjectFilter(cursor=cursor))


@given(st.lists(IDS | st.text(max_size=300), min_size=2, max_size=6, unique=True))
def test_every_id_may_stand_in_a_cursor(ids: list[str]) -> None:
    subjects = [subject(name) for name in ids]
    assert sorted(one.id for page in pages(subjects, SubjectFilter(limit=1)) for one in page.subjects) == sorted(ids)


def test_an_id_of_many_digits_or_characters_may_stand_in_a_cursor() -> None:
    ids = ["9" * 5000, "T-" + "8" * 5000, "x" * 20_000]
    found = [one.id for page in pages([subject(name) for name in ids], SubjectFilter(limit=1)) for one in page.subjects]
    assert sorted(found) == sorted(ids)


def test_ids_are_in_natural_order() -> None:
    names = ["T-10", "T-9", "T-09", "T-1", "S-11", "T-1b"]
    found = [one.id for one in page_of(map(subject, names), SubjectFilter()).subjects]
    assert found == ["S-11", "T-1", "T-1b", "T-09", "T-9", "T-10"]


@settings(max_examples=10, deadline=None)
@example(12, 1_000_000)
@given(st.integers(1, 12), st.integers(100_000, 1_500_000))
def test_a_page_stays_below_four_mebibytes_and_loses_nothing(count: int, size_bytes: int) -> None:
    subjects = [subject(f"T-{number}", description="ä" * (size_bytes // 2)) for number in range(count)]
    found = list(pages(subjects, SubjectFilter()))
    assert all(len(encode(page)) < 4 * 1024 * 1024 for page in found)
    assert [one.id for page in found for one in page.subjects] == [one.id for one in subjects]


def test_a_subject_that_is_larger_than_a_page_has_one_for_itself() -> None:
    subjects = [subject(f"T-{number}", description="x" * 5_000_000) for number in range(2)]
    assert [len(page.subjects) for page in pages(subjects, SubjectFilter())] == [1, 1]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, "abcd"),
        ({"kind": ["ticket"]}, "abc"),
        ({"status": ["done", "blocked"]}, "b"),
        ({"native_status": "open"}, "c"),
        ({"assignee": ["me"]}, "a"),
        ({"labels_any": ["x", "z"]}, "ab"),
        ({"labels_all": ["x", "y"]}, "b"),
        ({"dispatch_label": "now"}, "c"),
        ({"updated_since": NOW + timedelta(days=1)}, "d"),
        ({"kind": ["ticket"], "labels_any": ["x"], "status": ["done"]}, "b"),
        ({"limit": 2}, "ab"),
        ({"limit": 0}, ""),
    ],
)
def test_every_field_of_a_filter_narrows(wanted: dict[str, Any], ids: str) -> None:
    subjects = [
        subject("a", assignee="me", labels=["x"]),
        subject("b", status=SubjectStatus.DONE, labels=["x", "y"]),
        subject("c", native_status="open", custom={"dispatch_label": "now"}),
        subject("d", kind="letter", updated_at=NOW + timedelta(days=1)),
    ]
    assert "".join(one.id for one in page_of(subjects, SubjectFilter(**wanted)).subjects) == ids


def test_the_first_ready_subject_has_the_smallest_priority_and_then_the_lowest_id() -> None:
    subjects = [
        subject("T-10", priority=1),
        subject("T-9", priority=1),
        subject("T-1"),
        subject("T-0", priority=0, status=SubjectStatus.DONE),
    ]
    found = first_ready(subjects)
    assert found is not None
    assert found.id == "T-9"
    assert first_ready(subjects[3:]) is None


class Tickets(SubjectBackend):
    name = "tickets"
    version = "1"
    subject_kinds = ("ticket", "bug")
    kept = (subject("T-2"), subject("T-1"), subject("B-1", kind="bug"))


class Async(Tickets):
    async def list(self, filter: SubjectFilter) -> list[Subject]:  # noqa: A002 - the protocol's word
        return [*self.kept]


class AsyncGenerator(Tickets):
    async def list(self, filter: SubjectFilter) -> AsyncIterator[Subject]:  # noqa: A002 - as above
        for one in self.kept:
            await asyncio.sleep(0)
            yield one


class Plain(Tickets):
    def list(self, filter: SubjectFilter) -> tuple[Subject, ...]:  # noqa: A002 - as above
        return self.kept


class Generator(Tickets):
    def list(self, filter: SubjectFilter) -> Iterator[Subject]:  # noqa: A002 - as above
        yield from self.kept


class Inline(Tickets):
    @inline
    def list(self, filter: SubjectFilter) -> tuple[Subject, ...]:  # noqa: A002 - as above
        return self.kept


class OwnPages(Tickets):
    def list(self, filter: SubjectFilter) -> SubjectList:  # noqa: A002 - as above
        kept = [one for one in self.kept if one.kind in (filter.kind or self.subject_kinds)]
        return SubjectList(subjects=kept, fetched_at=NOW)


@pytest.mark.parametrize("form", [Async, AsyncGenerator, Plain, Generator, Inline])
async def test_list_may_have_any_form_and_comes_in_pages(tmp_path: Path, form: type[Tickets]) -> None:
    assert form.mistakes() == []
    async with Harness(form, project_root=tmp_path) as host:

        async def ids(method: str, **params: Any) -> list[str]:
            return [one["id"] for one in (await host.request(method, params))["subjects"]]

        assert await ids("subject/list") == ["B-1", "T-1", "T-2"]
        assert await ids("ticket/list") == ["T-1", "T-2"]
        assert await ids("bug/list") == ["B-1"]
        first = await host.call(SUBJECT_LIST, SubjectFilter(limit=2))
        assert await ids("subject/list", cursor=first.next_cursor) == ["T-2"]
        with pytest.raises(InvalidParams, match="cursor: not one that this plugin gave out"):
            await host.request("ticket/list", {"cursor": "7"})
        assert SubjectSchema.model_validate(await host.request("ticket/schema")).supports_pagination is True


async def test_a_list_with_pages_of_its_own_is_left_as_it_is(tmp_path: Path) -> None:
    async with Harness(OwnPages, project_root=tmp_path) as host:
        listed = await host.request("ticket/list", {"limit": 1})
        assert [one["id"] for one in listed["subjects"]] == ["T-2", "T-1"]
        assert (await host.request("ticket/schema"))["supports_pagination"] is False
