"""A writer that is killed at any moment has lost nothing that it acknowledged; the witness is this process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from animus_core.journal.reader import iterate
from animus_protocol.crash_points import CRASH_POINTS, VARIABLE

# Says each number once the record is acknowledged. Every third is not flushed: SIGKILL costs no file its content.
APPEND_AND_TELL = """
import sys
from pathlib import Path
from animus_core.journal.writer import JournalWriter
from animus_core.store.locks import acquire

path = Path(sys.argv[1])
writer = JournalWriter.open(path, "r1", int(sys.argv[2]), held=acquire(path.with_name("lock")))
while writer.position.seq < int(sys.argv[3]):
    number = writer.position.seq + 1
    position = writer.append("note", {"number": number, "text": "x" * (number * 37 % 900)}, sync=number % 3 != 0)
    sys.stdout.write(f"{position.seq}\\n")
    sys.stdout.flush()
"""


def start(path: Path, epoch: int, last: int, crash_point: str | None = None) -> subprocess.Popen[bytes]:
    env = dict(os.environ)
    if crash_point is not None:
        env[VARIABLE] = crash_point
    return subprocess.Popen(
        [sys.executable, "-c", APPEND_AND_TELL, str(path), str(epoch), str(last)], stdout=subprocess.PIPE, env=env
    )


def read_acknowledged(process: subprocess.Popen[bytes], enough: int, deadline: float) -> bytes:
    """What the writer tells until `enough` lines are there, or all of it once it has ended."""
    assert process.stdout is not None
    output = b""
    while output.count(b"\n") < enough:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        assert ready, "the writer says nothing"
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        output += chunk
    return output


def test_a_writer_that_is_killed_again_and_again_loses_no_acknowledged_record(tmp_path: Path) -> None:
    path = tmp_path / "j"
    acknowledged: list[int] = []
    for epoch in range(1, 16):
        deadline = time.monotonic() + 30
        with start(path, epoch, 10**9) as process:
            # Another number of records each round, so that the kill meets another moment of the next append.
            output = read_acknowledged(process, epoch * 7 % 40 + 1, deadline)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
            output += read_acknowledged(process, 10**9, deadline)
        acknowledged += [int(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]
        read = list(iterate(path))
        assert {record.seq for record in read} >= set(acknowledged)
        assert [record.seq for record in read] == list(range(1, len(read) + 1))
    assert [record.data["number"] for record in read] == [record.seq for record in read]
    assert len(set(acknowledged)) == len(acknowledged)


@pytest.mark.parametrize("point", ["journal.appended", "journal.synced"])
def test_a_crash_at_each_point_leaves_a_journal_that_the_next_owner_continues(tmp_path: Path, point: str) -> None:
    assert point in CRASH_POINTS
    armed = f"{point}@4:{tmp_path / 'marker'}"
    acknowledged: list[int] = []
    for epoch, code in ((1, -signal.SIGKILL), (2, 0)):
        with start(tmp_path / "j", epoch, 12, armed) as process:
            acknowledged += map(int, read_acknowledged(process, 10**9, time.monotonic() + 30).split())
            assert process.wait(timeout=30) == code
    read = list(iterate(tmp_path / "j"))
    assert [record.data["number"] for record in read] == list(range(1, 13))
    # Only the record at which it died is there and unacknowledged.
    assert len(acknowledged) == 11
