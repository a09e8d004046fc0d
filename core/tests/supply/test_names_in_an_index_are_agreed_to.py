"""What a name in an index leads to is shown and agreed to; then these very files are installed, and no others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.supply.install.install import INSTALL_S, install
from animus_core.supply.install.plugin_source import parse_source
from animus_core.supply.install.request import Dialogue, InstallRequest
from animus_core.supply.install.resolution import ResolvedDistribution, agree, read_report
from animus_core.supply.lock.lockfile import Lockfile

if TYPE_CHECKING:
    from conftest import Wheels

NAME = "animus-notifier-x"
SHA256 = "a" * 64


class Operator:
    """Installs into a configuration directory, is asked, and answers."""

    def __init__(self, config_dir: Path, cwd: Path) -> None:
        self.config_dir = config_dir
        self.cwd = cwd
        self.questions: list[str] = []
        self.answer = True

    async def install(self, source: str) -> list[str]:
        """The names that are installed now."""
        request = InstallRequest.parse(source, self.cwd)
        await install(self.config_dir, request, report=lambda step: None, confirm=self.confirm)
        return sorted(Lockfile.read(self.config_dir).entries)

    async def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "config", tmp_path)


async def test_a_name_is_shown_with_all_that_it_needs_and_what_is_a_file_here_is_not(
    operator: Operator, wheels: Wheels
) -> None:
    needed = wheels.build("needed", "2.0", points=(), author="")
    wheel = wheels.build(NAME, requires="needed>=1")
    assert await operator.install(NAME) == [NAME]
    assert operator.questions == [
        f"{NAME} means:\n"
        f"  {NAME} 0.1 by Ada Lovelace\n    from {wheel.as_uri()}\n    sha256 {sha256(wheel)}\n"
        f"  needed 2.0 by somebody who gives no name\n    from {needed.as_uri()}\n    sha256 {sha256(needed)}\n"
        "Install that?"
    ]
    operator.questions.clear()
    await operator.install(str(wheel))
    assert operator.questions == []


async def test_without_a_yes_nothing_is_left_and_the_refusal_says_what_it_would_have_been(
    operator: Operator, wheels: Wheels
) -> None:
    wheel = wheels.build(NAME)
    operator.answer = False
    with pytest.raises(Conflict, match="nothing was installed, because nobody has agreed") as raised:
        await operator.install(NAME)
    [shown] = raised.value.details["distributions"]
    assert (shown["name"], shown["url"], shown["sha256"]) == (NAME, wheel.as_uri(), sha256(wheel))
    assert list((operator.config_dir / "plugins").iterdir()) == []
    assert not (operator.config_dir / "plugins.lock").exists()


async def test_no_code_of_a_stranger_who_took_a_name_of_ours_runs_before_anybody_is_asked(
    operator: Operator, wheels: Wheels, tmp_path: Path
) -> None:
    wheel = wheels.build(NAME, requires="animus-sdk")
    wheels.build("animus-sdk", "0.1", points=())
    executed = tmp_path / "executed"
    source = wheels.source("animus-sdk", hook=f"open({str(executed)!r}, 'w').close()")
    with tarfile.open(wheels.folder / "animus_sdk-9.0.tar.gz", "w:gz") as sdist:
        sdist.add(source, "animus_sdk-9.0")
    assert await operator.install(str(wheel)) == [NAME]
    with pytest.raises(RetryLater):
        await operator.install("animus-sdk==9.0")
    assert not executed.exists()


async def test_a_file_that_is_another_one_after_the_yes_is_not_installed(
    operator: Operator, wheels: Wheels, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.build(NAME)

    async def confirm(question: str) -> bool:
        wheels.build(NAME, code=wheels.plugin(NAME) + "# swapped\n")
        return True

    monkeypatch.setattr(operator, "confirm", confirm)
    with pytest.raises(RetryLater, match=f"pip could not install {NAME}"):
        await operator.install(NAME)
    assert not (operator.config_dir / "plugins.lock").exists()


def test_a_person_may_take_longer_to_answer_than_pip_may_take(
    operator: Operator, wheels: Wheels, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.build(NAME)

    async def confirm(question: str) -> bool:
        loop = asyncio.get_running_loop()
        clock = loop.time
        monkeypatch.setattr(loop, "time", lambda: clock() + INSTALL_S)
        return True

    monkeypatch.setattr(operator, "confirm", confirm)
    assert asyncio.run(operator.install(NAME)) == [NAME]  # on a loop of its own, whose clock nobody else uses


def reported(tmp_path: Path, **changes: Any) -> ResolvedDistribution:
    item = {
        "download_info": {"url": "https://u:p@index/x.whl?token=t#f", "archive_info": {"hashes": {"sha256": SHA256}}},
        "metadata": {"name": "x", "version": "1", "author_email": "Eve\x1b[2J <e@x>"},
        "requested": True,
        **changes,
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"version": "1", "install": [item]}))
    [found] = read_report(path)
    return found


def test_no_credentials_and_nothing_that_a_terminal_obeys_is_shown(tmp_path: Path) -> None:
    found = reported(tmp_path)
    assert (found.url, found.author) == ("https://index/x.whl", "Eve\\x1b[2J <e@x>")


def test_an_older_pip_tells_the_hash_in_its_own_way(tmp_path: Path) -> None:
    download = {"url": "https://index/x.whl", "archive_info": {"hash": f"sha256={SHA256}"}}
    assert reported(tmp_path, download_info=download).pinned == f"x==1 --hash=sha256:{SHA256}"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_direct": True},
        {"download_info": {"url": "file:///folder", "dir_info": {}}},
        {"download_info": {"url": "https://index/x.whl", "archive_info": {"hash": "md5=0"}}},
        {"metadata": {"name": "x", "version": "1\n--index-url=https://evil"}},
        {"metadata": {"name": "--pre", "version": "1"}},
    ],
)
def test_what_could_not_be_had_again_by_name_and_hash_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="which is not a file of an index"):
        assert reported(tmp_path, **changes).pinned


@pytest.mark.parametrize("content", ["", "{", "[]", '{"install": [{}]}'])
def test_a_report_that_cannot_be_understood_stops_the_installation(content: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(RetryLater, match="pip's report cannot be read"):
        read_report(path)


async def test_a_name_of_ours_from_an_index_is_asked_about_also_as_a_dependency_of_a_file(
    operator: Operator, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pyproject.toml").write_text('[project]\nname = "x"\n')
    source = parse_source("./folder", tmp_path)
    dialogue = Dialogue(lambda step: None, operator.confirm)
    own = ResolvedDistribution("x", "1", "Ada", (tmp_path / "folder").as_uri(), None, True, True)
    ours = ResolvedDistribution("Animus_SDK", "0.1.0", "us", "file:///wheels/a.whl", SHA256, False, False)
    await agree(source, [own, ours], dialogue)
    assert operator.questions == []
    strangers = ours._replace(url="https://index/animus_sdk-0.1.0.whl", author="Eve")
    await agree(source, [own, strangers], dialogue)
    [question] = operator.questions
    assert "Animus_SDK 0.1.0 by Eve" in question
    assert "it is somebody else's" in question
    assert "x 1" not in question
    operator.answer = False
    with pytest.raises(Conflict):
        await agree(source, [own, strangers], dialogue)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
