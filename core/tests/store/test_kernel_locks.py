"""A lock is held exactly as long as a process has it, whoever dies, and asking never disturbs taking."""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from animus_core.errors import Conflict, RetryLater
from animus_core.store.locks import acquire, acquire_within, from_inherited, is_held, read_holder, wait_free
from animus_core.store.process_identity import own_identity

# For each path on stdin: tries to take the lock there, says whether it won, and keeps it.
RACER = """
import sys
from pathlib import Path
from animus_core.store.locks import acquire

print("ready", flush=True)
kept = []
for line in sys.stdin:
    held = acquire(Path(line.rstrip("\\n")))
    kept.append(held)
    print("lost" if held is None else "won", flush=True)
"""
# Asks as fast as it can, and says once that it does.
ASKER = """
import sys
from pathlib import Path
from animus_core.store.locks import is_held

path = Path(sys.argv[1])
is_held(path)
print("asking", flush=True)
while True:
    is_held(path)
"""
# Takes over the descriptor that is named, says so, and waits for its stdin to close.
HEIR = """
import sys
from pathlib import Path
from animus_core.store.locks import from_inherited

held = from_inherited(int(sys.argv[2]), Path(sys.argv[1]))
held.describe(epoch=7)
print("holding", flush=True)
sys.stdin.read()
"""
# Holds the lock, starts an heir that outlives it, tells the heir's pid, and dies of SIGKILL.
DYING_PARENT = """
import os, signal, subprocess, sys
from pathlib import Path
from animus_core.store.locks import acquire

held = acquire(Path(sys.argv[1]))
heir = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1], str(held.fd)], stdin=int(sys.argv[3]),
                        stdout=subprocess.PIPE, text=True, pass_fds=[held.inheritable_fd()])
print(heir.stdout.readline().strip(), heir.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def running(script: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_of_two_processes_that_race_exactly_one_wins(tmp_path: Path) -> None:
    with running(RACER) as one, running(RACER) as other:
        assert [line_of(one), line_of(other)] == ["ready", "ready"]
        for turn in range(100):
            path = str(tmp_path / f"lock-{turn}")
            first, second = (one, other) if turn % 2 else (other, one)
            tell(first, path)
            tell(second, path)
            assert sorted([line_of(one), line_of(other)]) == ["lost", "won"]


def test_those_who_ask_all_the_time_never_make_a_taker_believe_that_the_lock_is_owned(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with running(ASKER, str(path)) as one, running(ASKER, str(path)) as other:
        assert [line_of(one), line_of(other)] == ["asking", "asking"]
        for _ in range(100):
            held = acquire(path)
            assert held is not None
            held.close()


def test_those_who_ask_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with running(ASKER, str(path)) as probe:
        assert line_of(probe) == "asking"
        assert not any(is_held(path) for _ in range(500))


def test_a_probe_that_is_stopped_in_the_middle_is_told_apart_from_an_owner(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "lock"
    path.touch()
    with path.open() as stuck:
        fcntl.flock(stuck, fcntl.LOCK_SH)
        with pytest.raises(RetryLater, match="nobody owns this lock, but it is being looked at without pause"):
            acquire(path)
        assert not is_held(path)


def test_a_lock_is_held_until_its_copy_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    held = acquire(path)
    assert held is not None
    assert is_held(path)
    assert acquire(path) is None
    held.close()
    held.close()
    assert held.closed
    assert not is_held(path)
    assert path.exists()
    with pytest.raises(Conflict, match="has given the lock up"):
        held.inheritable_fd()


def test_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with running(RACER) as process:
        assert line_of(process) == "ready"
        tell(process, str(path))
        assert line_of(process) == "won"
        assert is_held(path)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert wait_free(path, 30)


def test_a_child_that_inherited_the_lock_keeps_it_after_the_parent_gave_its_copy_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = acquire(path)
    assert held is not None
    with running(HEIR, str(path), str(held.fd), pass_fds=(held.inheritable_fd(),)) as heir:
        assert line_of(heir) == "holding"
        held.close()
        assert is_held(path)
        assert acquire(path) is None
        holder = read_holder(path)
        assert holder is not None
        assert (holder.pid, holder.epoch) == (heir.pid, 7)
        heir.kill()
        heir.wait(timeout=30)
        assert wait_free(path, 30)
        again = acquire(path)
        assert again is not None
        again.close()


def test_a_child_keeps_the_lock_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    reading, writing = os.pipe()
    # The heir waits for the other end, which this process alone has.
    with running(DYING_PARENT, str(path), HEIR, str(reading), pass_fds=(reading,)) as parent:
        os.close(reading)
        word, pid = line_of(parent).split()
        assert parent.wait(timeout=30) == -signal.SIGKILL
    assert word == "holding"
    assert is_held(path)
    holder = read_holder(path)
    assert holder is not None
    assert holder.pid == int(pid)
    os.close(writing)
    assert wait_free(path, 30)


def test_a_lock_that_was_sent_over_a_socket_belongs_to_the_receiver_too(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = acquire(path)
    assert held is not None
    here, there = socket.socketpair()
    with here, there:
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [held.inheritable_fd()]))])
        _, fds, _, _ = socket.recv_fds(there, 1, 1)
    os.set_inheritable(fds[0], True)
    received = from_inherited(fds[0], path)
    assert not os.get_inheritable(received.fd)
    held.close()
    assert is_held(path)
    received.close()
    assert not is_held(path)


def test_other_children_do_not_get_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = acquire(path)
    assert held is not None
    with running(RACER) as bystander:
        assert line_of(bystander) == "ready"
        held.close()
        assert wait_free(path, 30)


def test_an_inherited_descriptor_that_is_not_the_lock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = acquire(path)
    assert held is not None
    with held, path.open() as same_file, (tmp_path / "other").open("w") as other_file:
        with pytest.raises(Conflict, match="does not own the lock"):
            from_inherited(same_file.fileno(), path)
        with pytest.raises(Conflict, match="is another file"):
            from_inherited(other_file.fileno(), path)
        free_fd = os.dup(other_file.fileno())
        os.close(free_fd)
        with pytest.raises(Conflict, match="is not usable"):
            from_inherited(free_fd, path)
    with path.open() as unlocked, pytest.raises(Conflict, match="does not own the lock"):
        from_inherited(unlocked.fileno(), path)
    assert not is_held(path)


def test_a_lock_is_always_that_of_the_file_at_the_path(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    old = acquire(path)
    assert old is not None
    with old:
        path.rename(tmp_path / "moved")
        new = acquire(path)
        assert new is not None
        with pytest.raises(Conflict, match="is another file"):
            from_inherited(old.fd, path)
        new.close()


def test_the_file_tells_people_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert read_holder(path) is None
    path.write_text("a much longer line than the one that will stand here\n" * 10)
    held = acquire(path, epoch=3)
    assert held is not None
    own = own_identity()
    holder = read_holder(path)
    assert holder is not None
    assert (holder.identity, holder.epoch) == (own, 3)
    assert holder.at.endswith("Z")
    names = {"pid": own.pid, "boot_id": own.boot_id, "starttime": own.starttime, "epoch": 3, "at": holder.at}
    assert json.loads(path.read_text()) == names
    assert path.read_text().count("\n") == 1
    held.close()
    path.write_text("[1]\n")
    assert read_holder(path) is None
    path.write_text("{\n")
    assert read_holder(path) is None
    path.write_text('{"pid": "none of ours"}\n')
    assert read_holder(path) is None


def test_the_file_is_private_and_neither_a_link_nor_a_folder(tmp_path: Path) -> None:
    with acquire_within(tmp_path / "lock", 0):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "lock")
    for unusable in (tmp_path / "link", tmp_path):
        with pytest.raises(RetryLater, match="cannot be opened"):
            acquire(unusable)
    with pytest.raises(FileNotFoundError):
        acquire(tmp_path / "missing" / "lock")


def test_waiting_ends_when_the_lock_is_free_the_time_is_up_or_the_caller_calls_it_off(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert wait_free(path, 0)
    held = acquire(path)
    assert held is not None
    began = time.monotonic()
    assert not wait_free(path, 0.05)
    assert time.monotonic() - began >= 0.05

    stop = threading.Event()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(wait_free(path, 30, stop=stop)))
    waiting.start()
    stop.set()
    waiting.join(timeout=10)
    assert answers == [False]

    waiting = threading.Thread(target=lambda: answers.append(wait_free(path, 30)))
    waiting.start()
    held.close()
    waiting.join(timeout=10)
    assert answers == [False, True]


def test_taking_within_a_time_waits_and_then_names_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = acquire(path)
    assert held is not None
    with pytest.raises(Conflict, match=rf"still held by pid {os.getpid()} after 0.02 s") as caught:
        acquire_within(path, 0.02)
    assert caught.value.details["pid"] == os.getpid()
    released = threading.Timer(0.02, held.close)
    released.start()
    with acquire_within(path, 30):
        assert is_held(path)
    released.join(timeout=10)
