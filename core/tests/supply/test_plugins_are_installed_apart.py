"""Plugins are installed into environments of their own: all or nothing, and never over what somebody else put there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from animus_core.errors import AnimusError, Conflict, InvalidInput, PluginFailed, RetryLater, UnknownName
from animus_core.supply.install import pip
from animus_core.supply.install.environments import leftover_folders
from animus_core.supply.install.install import Installed, install, uninstall
from animus_core.supply.install.pip import PluginScript, pip_environment, pip_is_here, pip_runner, plugin_scripts
from animus_core.supply.install.request import InstallRequest
from animus_core.supply.lock.lockfile import LockEntry, Lockfile
from process_ends import wait_gone

if TYPE_CHECKING:
    from conftest import Wheels

WAIT_S = 30.0


class Home:
    """A configuration directory, and somebody who installs into it; `steps` and `questions` are what they were told."""

    def __init__(self, config_dir: Path, cwd: Path) -> None:
        self.config_dir = config_dir
        self.cwd = cwd
        self.steps: list[str] = []
        self.questions: list[str] = []
        self.answer = False

    async def install(self, source: object, **options: Any) -> list[Installed]:
        """Install; options are those of `InstallRequest.parse`, and `timeout_s`."""
        limits = {"timeout_s": options.pop("timeout_s")} if "timeout_s" in options else {}
        request = InstallRequest.parse(str(source), self.cwd, **options)
        return await install(self.config_dir, request, report=self.steps.append, confirm=self._confirm, **limits)

    @property
    def entries(self) -> dict[str, LockEntry]:
        """What plugins.lock says."""
        return dict(Lockfile.read(self.config_dir).entries)

    @property
    def folders(self) -> list[str]:
        """All that is in `plugins/`."""
        place = self.config_dir / "plugins"
        return sorted(os.listdir(place)) if place.exists() else []

    async def _confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "config", tmp_path)


# == pip ==


def test_pip_gets_the_operators_settings_but_for_where_to_and_which_python(tmp_path: Path) -> None:
    parent = {
        "PIP_INDEX_URL": "https://index",
        "HTTPS_PROXY": "p",
        "PIP_TARGET": "/elsewhere",
        "PIP_USER": "1",
        "PIP_REPORT": "/elsewhere.json",
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/y",
        "PYTHONWARNINGS": "error",
    }
    env = pip_environment(parent, "c", tmp_path)
    assert env == {"PIP_INDEX_URL": "https://index", "HTTPS_PROXY": "p", "ANIMUS_COOKIE": "c", "TMPDIR": str(tmp_path)}


# == wheels and folders ==


async def test_a_wheel_gets_an_environment_of_its_own_and_is_locked(home: Home, wheels: Wheels) -> None:
    [done] = await home.install(wheels.build("animus-notifier-x"))
    entry = home.entries["animus-notifier-x"]
    assert done.entry == entry
    assert done.previous is None
    assert (entry.version, entry.plugin_kind, entry.development) == ("0.1", "notifier", False)
    assert entry.source == str(wheels.folder / "animus_notifier_x-0.1-py3-none-any.whl")
    assert entry.folder is not None
    folder = Path(entry.folder)
    assert entry.command == (str(folder / "bin" / "animus-notifier-x"),)
    assert folder.parent == home.config_dir / "plugins"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert home.folders == sorted([folder.name, f".{folder.name}.lock"])
    assert not (folder / "tmp").exists()
    assert [step.split()[0] for step in home.steps] == ["creating", "installing", "probing"]
    assert Lockfile.read(home.config_dir).verify(entry) is None
    subprocess.run([*entry.command], check=False, timeout=WAIT_S)  # to be run writes nothing into it
    assert Lockfile.read(home.config_dir).verify(entry) is None


async def test_an_upgrade_leaves_the_old_version_alone_while_it_runs(home: Home, wheels: Wheels) -> None:
    late = "    sys.stdin.readline()\n    import late\n    print(late.WORD)\n    return 0"
    old = wheels.build(
        "animus-notifier-x",
        code=wheels.plugin("animus-notifier-x", body=late),
        late="WORD = 'it still has its files'\n",
    )
    [first] = await home.install(old)
    running = subprocess.Popen(first.entry.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    [second] = await home.install(wheels.build("animus-notifier-x", "0.2"))
    assert second.previous == first.entry
    assert home.entries == {"animus-notifier-x": second.entry}
    assert home.questions == []
    assert running.communicate("\n", timeout=WAIT_S)[0] == "it still has its files\n"

    assert [str(folder) for folder in leftover_folders(home.config_dir)] == [first.entry.folder]
    await uninstall(home.config_dir, "animus-notifier-x")
    assert home.entries == {}
    assert home.folders == []


@pytest.mark.parametrize(
    ("build", "name", "why"),
    [
        ({"requires": "nobody-has-this"}, None, "pip could not install .*nobody-has-this"),
        ({"code": "raise ImportError('the licence is missing')"}, None, "the licence is missing"),
        ({"points": ["a", "b"]}, "one", "has several plugins: a, b"),
    ],
)
async def test_an_installation_that_fails_leaves_nothing(
    build: dict[str, Any], name: str | None, why: str, home: Home, wheels: Wheels
) -> None:
    with pytest.raises(AnimusError, match=f"(?s){why}") as raised:
        await home.install(wheels.build("animus-notifier-x", **build), name=name)
    assert raised.value.hint is not None
    assert home.folders == []
    assert home.entries == {}


def test_plugins_are_the_scripts_that_entry_points_of_their_group_name(tmp_path: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    info = tmp_path / "lib" / version / "site-packages" / "x-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[console_scripts]\nother = x:main\n")
    assert plugin_scripts(tmp_path) == []
    (info / "entry_points.txt").write_text("[animus.plugins]\nplug = x:main\n")
    with pytest.raises(RetryLater, match=r"x: its entry point 'plug' .* has no script of that name"):
        plugin_scripts(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "plug").touch()
    assert plugin_scripts(tmp_path) == [PluginScript("plug", tmp_path / "bin" / "plug", "x")]


@pytest.mark.parametrize(("version", "usable"), [("22.2", False), ("22.3", True), ("26.0.1", True), ("odd", False)])
def test_a_pip_that_cannot_install_elsewhere_is_none(version: str, usable: bool, tmp_path: Path) -> None:
    assert not pip_is_here([str(tmp_path)])
    info = tmp_path / f"pip-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pip\nVersion: {version}\n")
    assert pip_is_here([str(tmp_path)]) is usable


def test_a_pip_is_started_by_its_own_runner_where_it_has_one(tmp_path: Path) -> None:
    info = tmp_path / "pip-25.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pip\nVersion: 25.0\n")
    assert pip_runner([str(tmp_path)]) is None
    runner = tmp_path / "pip" / "__pip-runner__.py"
    runner.parent.mkdir()
    runner.touch()
    assert pip_runner([str(tmp_path)]) == runner


async def test_a_pip_without_a_runner_starts_itself_once_more(
    home: Home, wheels: Wheels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip, "pip_runner", lambda places: None)
    [installed] = await home.install(wheels.build("animus-notifier-x"))
    assert installed.entry.name == "animus-notifier-x"


async def test_all_plugins_of_a_distribution_are_installed_and_share_its_environment(
    home: Home, wheels: Wheels
) -> None:
    wheel = wheels.build("animus-pair", points=["animus-notifier-a", "animus-notifier-b"])
    await home.install(wheel)
    assert sorted(home.entries) == ["animus-notifier-a", "animus-notifier-b"]
    assert len({entry.folder for entry in home.entries.values()}) == 1

    await uninstall(home.config_dir, "animus-notifier-a")
    assert Lockfile.read(home.config_dir).verify(home.entries["animus-notifier-b"]) is None
    await uninstall(home.config_dir, "animus-notifier-b")
    assert home.folders == []


async def test_a_folder_is_built_or_used_in_place_for_development(home: Home, wheels: Wheels) -> None:
    folder = wheels.source("animus-notifier-dev")
    module = folder / "animus_notifier_dev.py"

    (await asyncio.gather(home.install(folder, name="built"), home.install(folder, name="in-place", development=True)))
    built, in_place = home.entries["built"], home.entries["in-place"]
    assert (built.development, in_place.development) == (False, True)
    module.write_text(module.read_text().replace("made by a test", "changed"))
    manifests = [subprocess.check_output([*one.command, "--manifest"], timeout=WAIT_S) for one in (built, in_place)]
    assert [b"changed" in text for text in manifests] == [False, True]
    assert Lockfile.read(home.config_dir).verify(in_place) is None


async def test_two_installations_at_once_lose_nothing_and_of_one_name_the_last_is_used(
    home: Home, wheels: Wheels
) -> None:
    found = [wheels.build("animus-notifier-a"), *(wheels.build("animus-notifier-b", str(n)) for n in (1, 2))]

    await asyncio.gather(*(home.install(wheel) for wheel in found))
    entries = home.entries
    assert sorted(entries) == ["animus-notifier-a", "animus-notifier-b"]
    assert len(home.folders) == 4, "a folder and its lock for each"
    assert all(Lockfile.read(home.config_dir).verify(entry) is None for entry in entries.values())


async def test_an_installation_that_is_cancelled_leaves_no_process_and_no_file(
    home: Home, wheels: Wheels, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hook = f"import signal\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\nsignal.pause()"
    folder = wheels.source("animus-notifier-slow", hook=hook)

    task = asyncio.ensure_future(home.install(folder))
    pid = int(await asyncio.to_thread(fifo.read_text))
    assert len(home.folders) == 2
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    wait_gone(pid)
    assert home.folders == []
    assert home.entries == {}


async def test_an_installation_that_takes_too_long_is_given_up(home: Home, wheels: Wheels) -> None:
    with pytest.raises(RetryLater, match=r"did not end within 0\.01 s"):
        await home.install(wheels.build("animus-notifier-x"), timeout_s=0.01)
    assert home.folders == []


# == executables ==


async def test_an_executable_is_registered_where_it_is(home: Home, executable: Callable[..., Path]) -> None:
    path = executable("tool")
    [done] = await home.install(path)
    assert (done.entry.name, done.entry.command, done.entry.folder) == ("tool", (str(path),), None)
    assert home.folders == []
    path.write_text(path.read_text() + "# changed\n")
    drift = Lockfile.read(home.config_dir).verify(done.entry)
    assert drift is not None
    assert str(path) in drift.why

    [again] = await home.install(path)  # the same file: nobody is asked
    assert again.previous == done.entry
    await uninstall(home.config_dir, "tool")
    assert path.exists()
    with pytest.raises(UnknownName):
        await uninstall(home.config_dir, "tool")


async def test_what_is_no_plugin_is_not_registered(home: Home, executable: Callable[..., Path]) -> None:
    path = executable("tool", protocol_version="9.0.0")
    with pytest.raises(PluginFailed, match="it speaks protocol 9"):
        await home.install(path)
    with pytest.raises(InvalidInput, match="--dev is for a folder"):
        await home.install(path, development=True)
    with pytest.raises(InvalidInput, match="cannot be the name"):
        await home.install(path, name="../tool")
    assert home.entries == {}


# == names, and a lock file that cannot be read ==


async def test_a_name_of_the_operators_registry_is_not_taken(home: Home, executable: Callable[..., Path]) -> None:
    home.config_dir.mkdir()
    registry = home.config_dir / "plugins.yaml"
    registry.write_text("plugins:\n  other: {binary: /x}\n  tool: {binary: /y}\n  given: {pass_env: [KEY]}\n")
    with pytest.raises(Conflict, match=rf"{registry}:3: plugins\.tool") as raised:
        await home.install(executable("tool"))
    assert "line 3" in str(raised.value.hint)
    await home.install(executable("tool"), name="given")  # a row that gives settings alone takes no name
    assert list(home.entries) == ["given"]


async def test_another_origin_takes_a_name_over_only_when_it_is_told_to(
    home: Home, executable: Callable[..., Path]
) -> None:
    [first] = await home.install(executable("tool"), name="both")
    other = executable("other")
    with pytest.raises(Conflict, match="is installed already, from"):
        await home.install(other, name="both")
    assert home.questions == [f"both is installed from {first.entry.source}. Replace it by {other}?"]
    assert home.entries == {"both": first.entry}
    home.answer = True
    [done] = await home.install(other, name="both")
    assert done.previous == first.entry
    assert home.entries == {"both": done.entry}


@pytest.mark.parametrize("content", ["", "{", '{"v": 9, "plugins": {}}', '{"v": 1, "plugins": {"x": {}}}'])
async def test_a_lock_file_that_cannot_be_read_stops_all_and_is_not_touched(
    content: str, home: Home, executable: Callable[..., Path]
) -> None:
    home.config_dir.mkdir()
    lock = home.config_dir / "plugins.lock"
    lock.write_text(content)
    for work in (home.install(executable("tool")), uninstall(home.config_dir, "tool")):
        with pytest.raises(RetryLater, match=str(lock)) as raised:
            await work
        assert raised.value.hint
    assert lock.read_text() == content


async def test_a_folder_that_others_may_write_to_is_not_installed_into(
    home: Home, executable: Callable[..., Path]
) -> None:
    home.config_dir.mkdir()
    home.config_dir.chmod(0o777)
    with pytest.raises(RetryLater, match="others may write here"):
        await home.install(executable("tool"))
