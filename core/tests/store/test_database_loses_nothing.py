"""Acknowledged writes survive SIGKILL and a full disk; the witness is this process and a connection of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from animus_core.store.database import open_readonly
from animus_core.store.statements import Tx
from animus_protocol.crash_points import CRASH_POINTS, VARIABLE

# Eight writers at once; each says its key once the write is acknowledged, and goes on until it is killed or done.
WRITE_AND_TELL = """
import asyncio, os, sys
from pathlib import Path
from animus_core.errors import RetryLater
from animus_core.store.database import Database

room = asyncio.Event()

async def writer(database, life, name, count):
    for number in range(count):
        key = f"{life}/{name}/{number}"
        try:
            await database.write(lambda tx: tx.execute(
                "fact_insert", fact_id=key, run_id="r", subject_kind="k", subject_id="s", kind="x", at="t",
                data='{"filling": "%s"}' % ("x" * 500)))
        except RetryLater as error:
            os.write(1, b"full %s\\n" % str(error.message).encode())
            await room.wait()
            continue
        os.write(1, key.encode() + b"\\n")

async def main():
    database = await Database.open(Path(sys.argv[1]))
    os.write(1, b"open\\n")
    sys.stdin.readline()
    waiting = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    waiting.add_done_callback(lambda _: room.set())
    async with database:
        count, writers = int(sys.argv[3]), int(sys.argv[4])
        await asyncio.gather(*(writer(database, sys.argv[2], name, count) for name in range(writers)))

asyncio.run(main())
"""


def start(path: Path, life: int, count: int, writers: int, crash_point: str | None = None) -> subprocess.Popen[str]:
    env = dict(os.environ)
    if crash_point is not None:
        env[VARIABLE] = crash_point
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_TELL, str(path), str(life), str(count), str(writers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()


def let_end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def fact_ids(tx: Tx) -> list[str]:
    return [row["fact_id"] for row in tx.all("fact_after", fact_seq=0, limit=1_000_000)]


def stored(path: Path) -> list[str]:
    with open_readonly(path) as witness:
        return witness.read(fact_ids)


def test_a_process_that_is_killed_again_and_again_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    acknowledged: list[str] = []
    for life in range(10):
        with start(path, life, 1_000_000, 8) as process:
            go_on(process)
            assert process.stdout is not None
            for _ in range(life * 11 % 60 + 1):
                acknowledged.append(process.stdout.readline().strip())
            process.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        there = stored(path)
        assert set(acknowledged) <= set(there)
    assert len(set(acknowledged)) == len(acknowledged)
    # What one writer wrote is there in its order and without a gap.
    for life in range(10):
        for name in range(8):
            numbers = [int(key.split("/")[2]) for key in there if key.startswith(f"{life}/{name}/")]
            assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(("point", "kept"), [("store.before_commit", 4), ("store.committed", 5)])
def test_a_crash_before_the_commit_loses_only_what_nobody_was_told(tmp_path: Path, point: str, kept: int) -> None:
    assert point in CRASH_POINTS
    path = tmp_path / "workflow.db"
    with start(path, 1, 10, 1, f"{point}@5:{tmp_path / 'marker'}") as process:
        go_on(process)
        assert process.stdout is not None
        acknowledged = process.stdout.read().split()
        assert process.wait(timeout=30) == -signal.SIGKILL
    assert acknowledged == [f"1/0/{number}" for number in range(4)]
    assert stored(path) == [f"1/0/{number}" for number in range(kept)]
    with start(path, 2, 3, 1) as process:
        go_on(process)
        let_end(process)
        assert process.wait(timeout=30) == 0
    assert len(stored(path)) == kept + 3


def test_a_full_disk_is_reported_to_every_writer_and_over_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    acknowledged: list[str] = []
    complaints: list[str] = []
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with start(path, 1, 100, 4) as process:
        size_bytes = max(file.stat().st_size for file in tmp_path.iterdir())
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size_bytes + 40_000, resource.RLIM_INFINITY))
        go_on(process)
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("full"):
                acknowledged.append(line.strip())
                continue
            complaints.append(line)
            if len(complaints) == 4:
                # All four were refused and wait: exactly what was acknowledged is there.
                assert sorted(stored(path)) == sorted(acknowledged)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
                go_on(process)
        assert process.wait(timeout=30) == 0
    assert len(complaints) == 4
    assert all(str(path) in complaint for complaint in complaints)
    assert sorted(stored(path)) == sorted(acknowledged)
    assert len(acknowledged) == 400 - 4
