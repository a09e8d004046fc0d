"""Run plans on a real journal under a real lock, within a deadline."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from animus_core.journal.writer import JournalWriter
from animus_core.store.locks import HeldLock, acquire
from animus_core.store.paths import RunPaths


@pytest.fixture
def files(tmp_path: Path) -> RunPaths:
    """The folder of a run; its id, and with it the cookies of its commands, is that of no other test."""
    paths = RunPaths(tmp_path / f"run-{uuid.uuid4()}")
    paths.create()
    return paths


@pytest.fixture
def held(files: RunPaths) -> Iterator[HeldLock]:
    """The run's lock."""
    lock = acquire(files.lock)
    assert lock is not None
    with lock:
        yield lock


@pytest.fixture
def open_journal(files: RunPaths, held: HeldLock) -> Iterator[Callable[[int], JournalWriter]]:
    """The run's journal, opened as the runner of an epoch."""
    writers: list[JournalWriter] = []

    def open_as(epoch: int) -> JournalWriter:
        for writer in writers:
            writer.close()
        writers.append(JournalWriter.open(files.journal, files.root.name, epoch, held=held))
        return writers[-1]

    yield open_as
    for writer in writers:
        writer.close()
