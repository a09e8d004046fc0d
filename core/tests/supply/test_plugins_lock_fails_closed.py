"""`plugins.lock`: durable under its guard, and read as nothing at all unless all of it can be read."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import Conflict, RetryLater
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import LockEntry, Lockfile, guard

ENTRY = {
    "name": "animus-log-x",
    "version": "1.0",
    "plugin_kind": "log_storage_backend",
    "source": "./x.whl",
    "command": ["/opt/x"],
    "digest": "0" * 64,
    "interpreter": None,
    "installed_at": "2026-01-01T00:00:00.000Z",
}
PROCESS_S = 30
SETTER = """
import json, sys
from pathlib import Path
from animus_core.supply.lock.lockfile import LockEntry, Lockfile
entry = json.loads(sys.argv[2])
lock = Lockfile.read(Path(sys.argv[1]))
"""


def entry(name: str = "animus-log-x", **changes: object) -> LockEntry:
    return LockEntry.model_validate({**ENTRY, "name": name, **changes})


@pytest.fixture
def lock(tmp_path: Path) -> Lockfile:
    return Lockfile.read(tmp_path)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_an_absent_lock_is_an_empty_one(lock: Lockfile, tmp_path: Path) -> None:
    assert lock.entries == {}
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_is_there_for_the_next_reader_and_for_nobody_else_on_the_machine(
    lock: Lockfile, tmp_path: Path
) -> None:
    lock.set(entry(), {"a.py": "0123"})
    lock.set(entry("b", development=True, folder="/f"), {})
    assert lock.entries == Lockfile.read(tmp_path).entries == {"animus-log-x": entry(), "b": lock.get("b")}
    written = json.loads((tmp_path / "plugins.lock").read_text())
    assert written["v"] == 1
    assert written["plugins"]["animus-log-x"] == {**ENTRY, "development": False, "folder": None}
    files = [tmp_path / "plugins.lock", *(tmp_path / "plugins.lock.d").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_is_removed_is_gone_with_its_list_of_files(lock: Lockfile, tmp_path: Path) -> None:
    lock.set(entry(), {"a.py": "0123"})
    lock.set(entry("b"), {})
    assert lock.remove("animus-log-x") == entry()
    assert lock.remove("animus-log-x") is None
    assert Lockfile.read(tmp_path).entries == {"b": entry("b")}
    assert [path.name for path in (tmp_path / "plugins.lock.d").iterdir()] == ["b-000000000000.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"v": 2, "plugins": {}}',
        '{"v": "1", "plugins": {}}',
        '{"v": true, "plugins": {}}',
        '{"v": 1}',
        '{"v": 1, "plugins": []}',
        '{"v": 1, "plugins": {}, "more": 1}',
        '{"v": 1, "plugins": {"a": null}}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_lock_that_cannot_be_read_is_an_error_and_stays_as_it_is(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "plugins.lock"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    for work in (
        lambda: Lockfile.read(tmp_path),
        lambda: Lockfile(tmp_path, {}).set(entry(), {}),
        lambda: Lockfile(tmp_path, {}).remove("a"),
    ):
        with pytest.raises(RetryLater) as raised:
            work()
        assert raised.value.message.startswith(f"{path}: cannot be read: ")
        assert f"mv {path}" in (raised.value.hint or "")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"name": "../x"},
        {"name": ".x"},
        {"version": 1},
        {"command": []},
        {"command": "x"},
        {"command": [1]},
        {"digest": "short"},
        {"digest": "../" * 30},
        {"interpreter": 3},
        {"development": "yes"},
        {"unknown": 1},
        {"source": None},
    ],
)
def test_an_entry_of_another_shape_makes_the_whole_lock_unreadable(changes: dict[str, object], tmp_path: Path) -> None:
    plugins = {"good": {**ENTRY, "name": "good"}, "animus-log-x": {**ENTRY, **changes}}
    (tmp_path / "plugins.lock").write_text(json.dumps({"v": 1, "plugins": plugins}))
    with pytest.raises(RetryLater, match=r"plugins\.lock: cannot be read: plugins\.animus-log-x"):
        Lockfile.read(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_not_read_as_a_lock(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "plugins.lock")
    with pytest.raises(RetryLater, match=r"plugins\.lock: cannot be read: "):
        Lockfile.read(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_lock(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-lock"
    folder.mkdir(exist_ok=True)
    (folder / "plugins.lock").write_bytes(content)
    with pytest.raises(RetryLater):
        Lockfile.read(folder)


# == several processes ==


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = SETTER + "for n in range(15):\n    lock.set(LockEntry(**{**entry, 'name': f'{sys.argv[3]}{n}'}), {})\n"
    arguments = [sys.executable, "-c", code, str(tmp_path), json.dumps(ENTRY)]
    running = [subprocess.Popen([*arguments, word]) for word in ("one", "two")]
    assert [process.wait(PROCESS_S) for process in running] == [0, 0]
    assert Lockfile.read(tmp_path).entries.keys() == {f"{word}{n}" for word in ("one", "two") for n in range(15)}


@pytest.mark.parametrize(("renames", "version"), [(0, "1.0"), (1, "1.0"), (2, "2.0")])
def test_a_kill_leaves_the_old_or_the_new_lock_and_a_free_guard(renames: int, version: str, tmp_path: Path) -> None:
    Lockfile.read(tmp_path).set(entry(), {"a.py": "0123"})
    code = SETTER + (
        "import os\nfrom animus_core.store import json_files\n"
        f"left, rename = [{renames}], Path.rename\n"
        "def falling(self, target):\n"
        "    if left[0] == 0: os.kill(os.getpid(), 9)\n"
        "    left[0] -= 1\n    rename(self, target)\n"
        "    if left[0] == 0 and self.name.startswith('.plugins.lock'): os.kill(os.getpid(), 9)\n"
        "Path.rename = falling\n"
        "lock.set(LockEntry(**{**entry, 'version': '2.0', 'digest': '1' * 64}), {'a.py': '4567'})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), json.dumps(ENTRY)], timeout=PROCESS_S, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    lock = Lockfile.read(tmp_path)
    assert lock.entries["animus-log-x"].version == version
    lock.set(entry("b"), {})
    assert lock.entries.keys() == {"animus-log-x", "b"}


def test_whoever_holds_the_guard_may_change_the_lock_and_others_wait_for_it(tmp_path: Path, lock: Lockfile) -> None:
    with guard(tmp_path) as held:
        lock.set(entry(), {}, held=held)
        began = time.monotonic()
        with pytest.raises(Conflict, match=r"plugins\.lock\.guard: still held"):
            guard(tmp_path, timeout_s=0.1)
        assert time.monotonic() - began < 5
        assert lock.remove("animus-log-x", held=held) == entry()
    with guard(tmp_path, timeout_s=0.1):
        pass


def test_without_a_configuration_directory_nothing_is_locked(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match="there is no such folder"):
        Lockfile.read(tmp_path / "absent").set(entry(), {})


# == drift ==


def installed(lock: Lockfile, program: Path, **changes: object) -> LockEntry:
    now = fingerprint([str(program)])
    made = entry(command=[str(program)], digest=now.digest, interpreter=now.interpreter, **changes)
    lock.set(made, now.files)
    return made


def test_what_is_as_it_was_installed_has_not_drifted(lock: Lockfile, program: Path) -> None:
    made = installed(lock, program)
    assert lock.verify(made) is None
    os.utime(program, (1, 1))
    assert lock.verify(made) is None


def test_a_drift_names_what_changed_and_the_command_that_fixes_it(lock: Lockfile, program: Path) -> None:
    made = installed(lock, program, source="./a b.whl")
    program.write_text("#!/bin/sh\n# other\n")
    drift = lock.verify(made)
    assert drift is not None
    assert drift.why == f"it changed since it was installed: {program}"
    assert drift.fix == "animus plugin install './a b.whl'  (or: animus plugin doctor)"
    assert drift.changes == (str(program),)


def test_a_drift_of_many_files_names_five(lock: Lockfile, program: Path) -> None:
    made = installed(lock, program)
    now = fingerprint([str(program)])
    files = {**now.files, **{f"{n}.py": "0" for n in range(9)}}
    drift = lock.drift(made, now._replace(digest="1" * 64, files=files))
    assert drift is not None
    written = ", ".join(f"{n}.py (added)" for n in range(5))
    assert drift.why == f"it changed since it was installed: {written} (and 4 more)"


def test_a_drift_is_one_also_when_nobody_knows_the_files_any_more(
    lock: Lockfile, program: Path, tmp_path: Path
) -> None:
    made = installed(lock, program)
    for path in (tmp_path / "plugins.lock.d").iterdir():
        path.write_text("{")
    assert lock.verify(made) is None
    program.write_text("#!/bin/sh\n# other\n")
    drift = lock.verify(made)
    assert drift is not None
    assert (drift.why, drift.changes) == ("it changed since it was installed", ())


def test_a_program_that_is_gone_has_drifted(lock: Lockfile, program: Path) -> None:
    made = installed(lock, program)
    program.unlink()
    drift = lock.verify(made)
    assert drift is not None
    assert drift.why.startswith(f"cannot be started: {program}: No such file")


def test_a_development_install_is_never_compared(lock: Lockfile, program: Path) -> None:
    made = installed(lock, program, development=True)
    program.unlink()
    assert lock.verify(made) is None
