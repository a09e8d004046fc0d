"""What is stored comes back as it was, in the order of storing, through every filter and page."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_log_jsonl.lines import MAX_LINE_BYTES, encode_entry
from animus_log_jsonl.query import MAX_PAGE_BYTES
from animus_log_jsonl.settings import Fsync
from animus_sdk import InvalidParams, LogEntry, LogLevel, LogQuery, LogSource, Unavailable

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=offsets)
targets = st.sampled_from(["daemon.run", "daemon", "agent::run", "Daemon", "a*b", "a\nb"])
entries = st.builds(
    LogEntry,
    id=text,
    ts=moments,
    level=st.sampled_from(LogLevel),
    source=st.sampled_from(LogSource),
    source_name=st.none() | st.sampled_from(["x", "y"]),
    target=targets | text,
    message=text,
    fields=json_values,
)
optional_moments = st.none() | moments
queries = st.builds(
    LogQuery,
    since=optional_moments,
    until=optional_moments,
    min_level=st.none() | st.sampled_from(LogLevel),
    source=st.none() | st.sampled_from(LogSource),
    source_name=st.none() | st.sampled_from(["x", "y", "z"]),
    target_glob=st.none() | st.sampled_from(["*", "daemon*", "*run", "?aemon", "a[*]b", "", "agent::*"]),
    limit=st.integers(1, 4),
)
GLOBS: dict[str, Callable[[str], bool]] = {
    "*": lambda target: True,
    "daemon*": lambda target: target.startswith("daemon"),
    "*run": lambda target: target.endswith("run"),
    "?aemon": lambda target: len(target) == 6 and target.endswith("aemon"),
    "a[*]b": lambda target: target == "a*b",
    "": lambda target: target == "",
    "agent::*": lambda target: target.startswith("agent::"),
}


def is_wanted(entry: LogEntry, query: LogQuery) -> bool:
    """The filters once more, written another way."""
    levels = ["trace", "debug", "info", "warn", "error"]
    at = entry.ts.astimezone(UTC)
    return not (
        (query.since and at < query.since.astimezone(UTC))
        or (query.until and at >= query.until.astimezone(UTC))
        or (query.min_level and levels.index(entry.level) < levels.index(query.min_level))
        or (query.source and entry.source != query.source)
        or (query.source_name and entry.source_name != query.source_name)
        or (query.target_glob is not None and not GLOBS[query.target_glob](entry.target))
    )


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(st.lists(entries, max_size=6), max_size=6), query=queries, rotate_bytes=st.sampled_from([1, 900])
)
async def test_pages_hold_exactly_what_was_stored_and_is_wanted(
    open_log_at: Any, batches: list[list[LogEntry]], query: LogQuery, rotate_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        async with open_log_at(path, rotate_bytes=rotate_bytes, fsync=Fsync.NEVER) as log:
            expected: dict[str, LogEntry] = {}
            for batch in batches:
                new = {entry.id: entry for entry in reversed(batch) if entry.id not in expected}
                assert await log.log.store(batch) == len(new)
                expected.update({entry.id: new[entry.id] for entry in batch if entry.id in new})
            everything = log.page().entries
            assert everything == list(expected.values())
            assert [entry.ts.utcoffset() for entry in everything] == [
                entry.ts.utcoffset() for entry in expected.values()
            ]
            found: list[LogEntry] = []
            cursor = None
            while True:
                page = log.log.query(query.model_copy(update={"cursor": cursor}), lambda: False)
                assert len(page.entries) <= (query.limit or 0)
                found += page.entries
                cursor = page.next_cursor
                if cursor is None:
                    break
                assert page.entries
            assert found == [entry for entry in expected.values() if is_wanted(entry, query)]


async def test_each_entry_is_one_line_of_json_and_a_batch_is_told_by_blanks(open_log: Any, path: Path) -> None:
    async with open_log() as log:
        await log.store(1, 2, fields={"b": None, "a": [1, {"x": "ü\n\u2028"}]})
        await log.store(3)
    raw = path.read_bytes()
    assert [line["id"] for line in map(json.loads, raw.splitlines())] == ["e-1", "e-2", "e-3"]
    assert json.loads(raw.splitlines()[0])["fields"] == {"b": None, "a": [1, {"x": "ü\n\u2028"}]}
    assert [line.endswith(b" ") for line in raw.split(b"\n")] == [True, False, False, False]


async def test_the_order_is_that_of_storing_whatever_the_times_say(open_log: Any) -> None:
    async with open_log() as log:
        await log.store(5, 3)
        await log.store(4)
        assert log.ids() == ["e-5", "e-3", "e-4"]


async def test_intervals_join_because_since_is_inclusive_and_until_exclusive(open_log: Any) -> None:
    async with open_log() as log:
        await log.store(1, 2, 3)
        middle = "2026-03-01T02:00:02+02:00"
        assert log.ids(until=middle) == ["e-1"]
        assert log.ids(since=middle) == ["e-2", "e-3"]


async def test_a_limit_of_nothing_gives_nothing_and_says_where_to_go_on(open_log: Any) -> None:
    async with open_log() as log:
        assert log.page(limit=0).next_cursor is None
        await log.store(1)
        page = log.page(limit=0)
        assert page.entries == []
        assert log.ids(cursor=page.next_cursor) == ["e-1"]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1:5", "1:-1", "-1:0", "1:999999", "2:0", "١:٠", "1:0:0", "9" * 40])
async def test_a_cursor_that_was_never_given_is_refused(open_log: Any, cursor: str) -> None:
    async with open_log() as log:
        await log.store(1)
        with pytest.raises(InvalidParams, match="this log never gave it"):
            log.page(cursor=cursor)


async def test_an_entry_that_is_too_long_is_refused_with_its_whole_batch(open_log: Any) -> None:
    async with open_log() as log:
        with pytest.raises(InvalidParams, match=r"entry 'e-2'.*shorten it"):
            await log.log.store(
                [
                    LogEntry(id=f"e-{size}", ts=datetime.now(UTC), level="info", source="cli", target="t", message=m)
                    for size, m in ((1, "short"), (2, "x" * MAX_LINE_BYTES))
                ]
            )
        assert log.ids() == []
        assert log.last_error() is None


async def test_the_longest_entry_that_is_taken_comes_back_from_any_place_in_its_batch(
    open_log: Any, json_of: Any
) -> None:
    async with open_log() as log:
        around = len(encode_entry(LogEntry.model_validate(json_of(1, message="x")))) - 1
        longest = MAX_LINE_BYTES - len(b" \n") - around
        assert await log.store(1, 2, message="x" * longest) == 2
        first = log.page()
        assert [entry.id for entry in first.entries] + log.ids(cursor=first.next_cursor) == ["e-1", "e-2"]
        with pytest.raises(InvalidParams, match=r"entry 'e-3'.*shorten it"):
            await log.store(3, message="x" * (longest + 1))
        assert log.last_error() is None


async def test_a_query_that_its_host_has_given_up_stops_in_the_middle(open_log: Any) -> None:
    async with open_log() as log:
        await log.store(*range(10))
        polls = iter([False, False, True])
        with pytest.raises(Unavailable, match="given up"):
            log.log.query(LogQuery(), lambda: next(polls))


async def test_pages_without_a_limit_stay_below_what_a_frame_holds(open_log: Any) -> None:
    async with open_log() as log:
        for number in range(12):
            await log.store(number, message="x" * 1_000_000)
        first = log.page()
        assert sum(len(entry.message) for entry in first.entries) <= MAX_PAGE_BYTES
        assert len(first.entries) == 4
        assert log.ids(cursor=first.next_cursor)[0] == "e-4"


async def test_ten_thousand_entries_are_stored_and_queried_in_a_moment(open_log: Any) -> None:
    async with open_log() as log:
        for start in range(0, 10_000, 500):
            assert await log.store(*range(start, start + 500)) == 500
        assert len(log.ids()) == 10_000
        assert log.ids(since="2026-03-01T02:46:39Z") == ["e-9999"]


async def test_a_large_log_is_opened_and_queried_as_a_stream(open_log: Any, path: Path, json_of: Any) -> None:
    line = json.dumps(json_of(1, message="x" * 100_000)).encode() + b"\n"
    path.parent.mkdir()
    with path.open("wb") as file:
        for _ in range(400):
            file.write(line)

    tracemalloc.start()
    try:
        async with open_log() as log:
            assert log.ids(min_level="error") == []
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # of 40 MB
    finally:
        tracemalloc.stop()


async def test_files_whose_times_are_outside_the_query_are_not_read(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1) as log:
        for number in range(1, 4):
            await log.store(number)
    path.with_name("log.jsonl.000001").write_text("not JSON\n")

    async with open_log() as log:
        assert log.ids(since="2026-03-01T00:00:02Z", until="2026-03-01T00:00:03Z") == ["e-2"]
        assert log.last_error() is None
        assert log.ids() == ["e-2", "e-3"]
        assert "log.jsonl.000001:1: no log entry" in log.last_error()
