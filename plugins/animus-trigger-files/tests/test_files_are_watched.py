"""What the real plugin process tells of changes by people, editors and programs while it watches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Host, put

Start = Callable[..., Host]


def test_each_kind_of_change_is_an_event_that_asks_for_its_workflow(host: Start, root: Path) -> None:
    put(root / "src/old.py", "1")
    plugin = host()
    plugin.watch(paths=["src/**/*.py"])
    put(root / "src/new.py", "1")
    event = plugin.event("trigger/event")
    assert (event["trigger_id"], event["action_hint"]) == ("t", "run_workflow")
    assert event["payload"] == {"changes": [{"path": "src/new.py", "change": "added"}], "more": 0}
    put(root / "src/old.py", "2")
    assert plugin.changes() == {"src/old.py": "modified"}
    with (root / "src/old.py").open("r+") as file:
        file.write("3")
    assert plugin.changes() == {"src/old.py": "modified"}
    (root / "src/new.py").unlink()
    assert plugin.changes() == {"src/new.py": "deleted"}
    put(root / "src/new.txt", "not selected")
    (root / "src/old.py").rename(root / "src/moved.py")
    assert plugin.changes() == {"src/old.py": "deleted", "src/moved.py": "added"}
    assert plugin.result("health/check")["status"] == "healthy"
    assert plugin.end() == 0


def test_a_save_that_changes_nothing_and_temporary_files_are_not_told(host: Start, root: Path) -> None:
    path = put(root / "src/a.py", "1")
    plugin = host()
    plugin.watch(paths=["src"])
    put(path, "1")
    os.utime(path, (1, 1))
    path.chmod(0o600)
    (root / "src/.a.py.swp").write_text("x")
    (root / "src/4913").touch()
    put(root / "src/last", "1")
    assert plugin.changes() == {"src/last": "added"}


def test_changes_within_the_debounce_are_one_event(host: Start, root: Path) -> None:
    plugin = host()
    plugin.watch(paths=["src"], debounce_secs=1)
    for number in range(20):
        put(root / f"src/new/{number}/a", "1")
    put(root / "src/gone", "1").unlink()
    assert plugin.changes() == {f"src/new/{number}/a": "added" for number in range(20)}


def test_ten_thousand_files_at_once_are_one_bounded_event(host: Start, root: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for number in range(10_000):
        (tmp_path / "new" / f"{'x' * 200}{number}").touch()
    plugin = host()
    plugin.watch(paths=["src"], debounce_secs=0.5)
    (tmp_path / "new").rename(root / "src/new")
    seen_event = plugin.event("trigger/event")["payload"]
    assert (len(seen_event["changes"]), seen_event["more"]) == (1_000, 9_000)


def test_a_folder_may_be_removed_and_made_again(host: Start, root: Path) -> None:
    put(root / "src/deep/a", "1")
    plugin = host()
    plugin.watch(paths=["src/**"], debounce_secs=0.1)
    shutil.rmtree(root / "src")
    assert plugin.changes() == {"src/deep/a": "deleted"}
    put(root / "src/deep/b", "1")
    assert plugin.changes() == {"src/deep/b": "added"}
    put(root / "src/deep/c", "1")
    assert plugin.changes() == {"src/deep/c": "added"}


def test_a_path_that_does_not_exist_yet_is_told_when_it_comes(host: Start, root: Path) -> None:
    plugin = host()
    plugin.watch(paths=["one/two/three.txt", "other/*.md"])
    put(root / "one/two/other.txt", "not selected")
    put(root / "one/two/three.txt", "1")
    assert plugin.changes() == {"one/two/three.txt": "added"}
    put(root / "other/a.md", "1")
    assert plugin.changes() == {"other/a.md": "added"}


def test_symbolic_links_are_told_as_links_and_never_followed(host: Start, root: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside/secret", "1")
    (root / "src/loop").symlink_to(root / "src")
    (root / "src/out").symlink_to(tmp_path / "outside")
    plugin = host()
    plugin.watch(paths=["src/**"])
    put(tmp_path / "outside/secret", "2")
    put(root / "src/a", "1")
    assert plugin.changes() == {"src/a": "added"}
    (root / "src/link").symlink_to("nowhere")
    assert plugin.changes() == {"src/link": "added"}
    assert plugin.result("health/check")["status"] == "healthy"


def test_a_link_that_a_path_names_is_followed_within_the_project_and_refused_outside(
    host: Start, root: Path, tmp_path: Path
) -> None:
    put(root / "releases/5/a", "1")
    (root / "current").symlink_to("releases/5")
    plugin = host()
    request = plugin.watch(paths=["current/**", "marker"])
    put(root / "releases/5/a", "2")
    assert plugin.changes() == {"current/a": "modified"}
    (tmp_path / "outside").mkdir()
    (tmp_path / "new").symlink_to(tmp_path / "outside")
    (tmp_path / "new").rename(root / "current")
    put(tmp_path / "outside/b", "1")
    put(root / "marker", "1")
    assert plugin.changes() == {"marker": "added"}
    problem = "trigger t: current: a symbolic link that leads out of the project"
    assert plugin.result("health/check")["last_error"] == problem
    plugin.end_watch(request)
    wrong = [{"id": "t", "config": {"paths": ["current/**"]}}]
    error = plugin.ask("trigger/watch", config={"triggers": wrong})["error"]
    assert error["code"] == -32602
    assert "trigger t: paths[0]: a symbolic link in 'current' leads out of the project" in error["message"]


def test_names_that_are_not_utf_8_are_told(host: Start, root: Path) -> None:
    plugin = host()
    plugin.watch(paths=["src"])
    Path(os.fsdecode(os.fsencode(root / "src") + b"/caf\xe9")).touch()
    (change,) = plugin.event("trigger/event")["payload"]["changes"]
    assert change == {"path": "src/caf\\xe9", "change": "added", "path_base64": "c3JjL2NhZuk="}
    put(root / "src/after", "1")
    assert plugin.changes() == {"src/after": "added"}
    folder = Path(os.fsdecode(os.fsencode(root / "src") + b"/d\xe9"))
    folder.mkdir()
    (folder / "a").touch()
    assert plugin.changes() == {"src/d\\xe9/a": "added"}
    (folder / "b").touch()
    assert plugin.changes() == {"src/d\\xe9/b": "added"}
    assert "not UTF-8" in plugin.result("health/check")["last_error"]


_WITHOUT_PRIVILEGE = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root is refused like everybody
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_folder_that_may_not_be_read_keeps_its_files_and_is_named_by_health(host: Start, root: Path) -> None:
    path = put(root / "src/closed/a", "1")
    plugin = host(before=[sys.executable, "-c", _WITHOUT_PRIVILEGE])
    plugin.watch(paths=["src"])
    path.parent.chmod(0)
    put(root / "src/b", "1")
    assert plugin.changes() == {"src/b": "added"}
    health = plugin.result("health/check")
    assert (health["status"], health["last_error"]) == ("degraded", "trigger t: src/closed: Permission denied")
    assert "src/closed: Permission denied - its files stay as they are known" in plugin.stderr()
    path.parent.chmod(0o700)
    put(path, "2")
    assert plugin.changes() == {"src/closed/a": "modified"}
    assert plugin.result("health/check")["status"] == "healthy"


def test_a_file_that_may_not_be_read_for_a_while_is_no_change_until_it_was_changed(host: Start, root: Path) -> None:
    path = put(root / "src/a", "1")
    plugin = host(before=[sys.executable, "-c", _WITHOUT_PRIVILEGE])
    plugin.watch(paths=["src"])
    put(root / "src/b", "1")
    assert plugin.changes() == {"src/b": "added"}
    path.chmod(0)
    put(root / "src/c", "1")
    assert plugin.changes() == {"src/c": "added"}
    path.chmod(0o600)
    put(root / "src/d", "1")
    assert plugin.changes() == {"src/d": "added"}
    path.chmod(0)
    put(root / "src/e", "1")
    assert plugin.changes() == {"src/e": "added"}
    put(path, "2")
    assert plugin.changes() == {"src/a": "modified"}


_WITHOUT_INOTIFY = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'


def _limits_can_be_set() -> bool:
    trial = ["unshare", "--user", "--map-root-user", "sh", "-c", _WITHOUT_INOTIFY, "sh", "true"]
    return shutil.which("unshare") is not None and subprocess.run(trial, check=False, timeout=10).returncode == 0


@pytest.mark.skipif(not _limits_can_be_set(), reason="this system lets nobody set a limit of inotify for one process")
def test_where_the_system_gives_no_notifications_the_files_are_looked_at_from_time_to_time(
    host: Start, root: Path
) -> None:
    plugin = host(before=["unshare", "--user", "--map-root-user", "sh", "-c", _WITHOUT_INOTIFY, "sh"])
    plugin.watch(paths=["src"])
    put(root / "src/a", "1")
    assert plugin.changes() == {"src/a": "added"}
    health = plugin.result("health/check")
    assert health["status"] == "degraded"
    assert health["last_error"].startswith("looking every 2 s, without notifications: ")
    assert plugin.stderr().count("no notifications of the file system: ") == 1
