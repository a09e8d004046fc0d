"""`animus plugin install` and `uninstall` as people use them: the steps, a kill, an index, a yes, and what is left."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import pty
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Animus, Plugins, Project, Wheels

from animus_core.supply.install import pip
from animus_core.supply.lock.lockfile import Lockfile
from plugin_installation import ANSWER_S, NAME, in_plugins, register


@pytest.fixture
def blocked(tmp_path: Path, wheels: Wheels) -> tuple[Path, Path]:
    """A folder whose build says in a FIFO that it began, and never ends; and the FIFO."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hook = f"import signal\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\nsignal.pause()"
    return wheels.source("animus-notifier-slow", hook=hook), fifo


def test_a_plugin_is_installed_looked_at_and_removed(
    offline: Animus, wheels: Wheels, config_dir: Path, plugins: Plugins
) -> None:
    needs = [{"name": "X_TOKEN", "required": True, "sensitive": True}, {"name": "X_URL"}]
    code = wheels.plugin(NAME, capabilities=["notifier/notify", "$ui/web"], env_required=needs)
    (config_dir / "plugins.yaml").write_text(
        f"plugins:\n  {NAME}: {{env: {{X_URL: 'https://hidden'}}, pass_env: [HTTP_PROXY], limits: {{memory_mb: 64}}}}\n"
    )
    wheels.build(NAME, "0.1", code=code)
    installed = offline("plugin", "install", f"{NAME}==0.1", "--yes")
    assert (installed.code, installed.stderr) == (0, ""), installed
    [one] = installed.data["plugins"]
    assert (one["name"], one["version"], one["kind"], one["lock"]) == (NAME, "0.1", "notifier", "locked")
    steps = installed.data["steps"]
    assert [step.split()[0] for step in steps] == ["creating", "resolving", f"{NAME}==0.1", "installing", "probing"]

    inspected, examined = offline.together(["plugin", "info", NAME], ["plugin", "doctor"])
    inspection = inspected.data
    assert (inspection["lock"], inspection["found_in"], inspection["methods"]) == (
        "locked",
        "installed",
        ["notifier/notify"],
    )
    assert inspection["environment"] == [
        {"name": "X_TOKEN", "required": True, "sensitive": True, "set": False},
        {"name": "X_URL", "required": False, "sensitive": False, "set": True},
    ]
    assert (inspection["pass_env"], inspection["limits"]) == (["HTTP_PROXY"], {"memory_mb": 64})
    assert "https://hidden" not in inspected.stdout
    assert examined.code == 5
    [problem] = examined.error["details"]["problems"]
    assert (problem["check"], problem["plugin"]) == ("environment", NAME)
    assert "X_TOKEN" in problem["message"]

    module = next(Path(one["binary_path"]).parents[1].rglob("animus_notifier_x.py"))
    module.write_text(module.read_text() + "# changed\n")
    listed, inspected, verified = offline.together(
        ["plugin", "list"], ["plugin", "info", NAME], ["plugin", "lock", "verify", NAME]
    )
    assert NAME not in [row["name"] for row in listed.data["plugins"]]
    [warning] = listed.data["warnings"]
    assert "animus_notifier_x.py" in warning["message"]
    assert f"animus plugin install {NAME}==0.1" in warning["fix"]
    assert (inspected.code, inspected.data["lock"], inspected.data["usable"]) == (0, "drifted", False)
    assert (verified.code, verified.error["code"]) == (4, "conflict")
    assert "animus_notifier_x.py" in verified.printed

    removed = offline.text("plugin", "uninstall", NAME)
    assert (removed.code, removed.stdout) == (0, f"uninstalled {NAME} 0.1\n")
    assert in_plugins(config_dir) == []


def test_people_see_the_steps_and_from_which_version_to_which(animus: Animus, executable: Callable[..., Path]) -> None:
    path = executable(NAME)
    first = animus.text("plugin", "install", str(path), "--name", "x")
    assert (first.code, first.stderr, first.stdout) == (0, "probing x …\n", "installed x 0.1 (notifier)\n")
    executable(NAME, version="0.2")
    second = animus.text("plugin", "install", str(path), "--name", "x")
    assert second.stdout == "installed x 0.2 (notifier), it was 0.1\n"
    other = executable("other")
    refused = animus("plugin", "install", str(other), "--name", "x")
    assert (refused.code, refused.error["code"]) == (4, "conflict")
    assert "--yes" in refused.printed
    assert animus("plugin", "install", str(other), "--name", "x", "--yes").code == 0

    terminal, theirs = pty.openpty()
    try:
        asked = animus.spawn(
            "plugin", "install", str(path), "--name", "x", stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.write(terminal, b"y\n")
        printed, errors = asked.communicate(timeout=ANSWER_S)
    finally:
        os.close(terminal)
        os.close(theirs)
    assert f"x is installed from {other}. Replace it by {path}? [y/N] " in errors
    assert printed == "installed x 0.2 (notifier), it was 0.1\n"


@pytest.mark.long
async def test_a_python_without_pip_installs_with_the_one_that_it_has_bundled(
    config_dir: Path, wheels: Wheels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip, "pip_is_here", lambda places: False)
    await register(config_dir, wheels.build(NAME))
    [entry] = Lockfile.read(config_dir).entries.values()
    assert (entry.name, Lockfile.read(config_dir).verify(entry)) == (NAME, None)


async def test_a_killed_installation_changes_nothing_and_the_next_one_clears_up(
    offline: Animus, config_dir: Path, blocked: tuple[Path, Path], executable: Callable[..., Path]
) -> None:
    folder, fifo = blocked
    await register(config_dir, executable("tool"))
    lock = (config_dir / "plugins.lock").read_bytes()
    killed = offline.spawn("plugin", "install", str(folder), stderr=subprocess.DEVNULL)
    builder = int(fifo.read_text())
    killed.kill()
    assert killed.wait(ANSWER_S) == -signal.SIGKILL
    assert (config_dir / "plugins.lock").read_bytes() == lock
    assert len(in_plugins(config_dir)) == 2
    examined = offline("plugin", "doctor")
    assert [one["check"] for one in examined.error["details"]["problems"]] == ["leftover"]

    assert offline("plugin", "install", str(executable("tool"))).code == 0
    assert in_plugins(config_dir) == []
    assert not Path(f"/proc/{builder}/cmdline").exists() or not Path(f"/proc/{builder}/cmdline").read_bytes()


def test_an_interrupted_installation_leaves_nothing(
    offline: Animus, config_dir: Path, blocked: tuple[Path, Path]
) -> None:
    folder, fifo = blocked
    interrupted = offline.spawn("plugin", "install", str(folder), stderr=subprocess.PIPE)
    fifo.read_text()
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=ANSWER_S)
    assert interrupted.returncode == 130
    assert "Traceback" not in errors
    assert in_plugins(config_dir) == []
    assert not (config_dir / "plugins.lock").exists()


def test_an_installation_without_room_leaves_nothing_and_works_once_there_is(
    offline: Animus, wheels: Wheels, config_dir: Path
) -> None:
    big = wheels.build(NAME, code=wheels.plugin(NAME) + "# " + "x" * 300_000 + "\n")
    command = f"ulimit -f 200; exec {shutil.which('animus', path=offline.env['PATH'])} --json plugin install {big}"
    done = subprocess.run(
        ["sh", "-c", command],
        env=offline.env,
        cwd=offline.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (5, "unavailable")
    assert "File too large" in error["message"]
    assert "Nothing was changed" in error["hint"]
    assert in_plugins(config_dir) == []
    assert not (config_dir / "plugins.lock").exists()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def index(wheels: Wheels, tmp_path: Path) -> Iterator[str]:
    """The address of an index with two versions of one plugin."""
    place = tmp_path / "index" / NAME
    place.mkdir(parents=True)
    built = [wheels.build(NAME, version) for version in ("0.3", "0.4")]
    for wheel in built:
        wheel.rename(place / wheel.name)
    (place / "index.html").write_text("".join(f'<a href="{wheel.name}">{wheel.name}</a>\n' for wheel in built))
    handler = functools.partial(_Quiet, directory=str(place.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_name_comes_from_the_index_also_where_the_repository_has_a_folder_of_that_name(
    animus: Animus, project: Project, index: str
) -> None:
    project.write(
        f"{NAME}/pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    )
    project.write(f"{NAME}/b.py", f"open({str(project.root / 'mark')!r}, 'w')\n")
    env = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}
    installed = animus("plugin", "install", f"{NAME}==0.3", "--yes", env=env)
    assert installed.code == 0, installed.printed
    assert installed.data["plugins"][0]["version"] == "0.3"
    assert not (project.root / "mark").exists()


def test_a_name_is_shown_with_its_place_author_and_hash_and_installed_only_with_a_yes(
    animus: Animus, index: str, tmp_path: Path, config_dir: Path
) -> None:
    host = index.removeprefix("http://")
    animus.env |= {"PIP_INDEX_URL": f"http://me:secret@{host}", "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}
    wheel = tmp_path / "index" / NAME / "animus_notifier_x-0.4-py3-none-any.whl"
    shown = (
        f"{NAME} means:\n  {NAME} 0.4 by Ada Lovelace\n    from {index}{NAME}/{wheel.name}\n"
        f"    sha256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    )
    refused = animus("plugin", "install", NAME)
    assert (refused.code, refused.error["code"]) == (4, "conflict")
    assert shown in refused.error["message"]
    assert "--yes" in refused.error["hint"]
    assert "secret" not in refused.printed + json.dumps(refused.error)
    assert in_plugins(config_dir) == []
    without_terminal = animus.text("plugin", "install", NAME)
    assert (without_terminal.code, without_terminal.stdout) == (4, "")
    assert in_plugins(config_dir) == []

    for answer, code in ((b"n\n", 4), (b"y\n", 0)):
        terminal, theirs = pty.openpty()
        try:
            asked = animus.spawn(
                "plugin", "install", NAME, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            os.write(terminal, answer)
            printed, errors = asked.communicate(timeout=ANSWER_S)
        finally:
            os.close(terminal)
            os.close(theirs)
        assert asked.returncode == code, errors
        assert f"{shown}\nInstall that? [y/N] " in errors
    assert printed == f"installed {NAME} 0.4 (notifier)\n"
