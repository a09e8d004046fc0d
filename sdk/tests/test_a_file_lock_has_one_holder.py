"""The lock of `animus_sdk`: one process has it, whoever waits gets it, and a process that dies gives it back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from animus_sdk import FileLock, FileLocked, Unavailable

HOLDER = """
import sys
from pathlib import Path
from animus_sdk import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire("somebody")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_has(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    program = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            yield holder
        finally:
            holder.stdin.close()
            holder.wait(timeout=10)


def test_a_second_process_is_refused_and_learns_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process_has(path):
        with pytest.raises(FileLocked, match="another process has held the lock for 0 s - retry") as refused:
            FileLock(path).acquire("me")
        assert refused.value.text == "somebody"
        assert isinstance(refused.value, Unavailable), "so that a host is told to try again later"
    with FileLock(path) as lock:
        assert lock.text == "somebody", "the file stays, the lock does not"


def test_a_process_that_is_killed_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process_has(path) as holder:
        holder.kill()
        holder.wait(timeout=10)
        FileLock(path, wait_s=10).acquire()


def test_whoever_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    first, got = FileLock(tmp_path / "lock"), threading.Event()

    def wait() -> None:
        with FileLock(tmp_path / "lock", wait_s=10):
            got.set()

    first.acquire()
    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.is_set()
    first.release()
    assert got.wait(timeout=10)
    waiting.join(timeout=10)
    first.release()  # a second time is nothing


def test_a_new_text_replaces_the_old_one_also_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path, mode=0o644) as lock:
        lock.text = "a long text\n"
        lock.text = "7\n"
        assert (lock.text, path.read_text(), path.stat().st_mode & 0o777 & ~0o022) == ("7", "7\n", 0o644)


def test_a_lock_file_that_was_removed_under_its_holder_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path):
        path.unlink()
        with FileLock(path):
            assert path.exists()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        FileLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "elsewhere").exists()
