"""`animus init` trusts only what it wrote itself; `animus trust` grants only what it has shown, to whom it may."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from animus_core.cli.main import main
from animus_core.host.environment import COOKIE
from animus_core.supply.trust.trust import grant, is_trusted
from trust_repository import write_below


class Home:
    """A project, a configuration directory, and the command in this process."""

    def __init__(self, root: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.config, self._capsys = root, config, capsys

    def animus(self, *words: str) -> tuple[int, str, str]:
        code = main([*words, "--project-root", str(self.root)])
        return code, *self._capsys.readouterr()

    def json(self, *words: str) -> tuple[int, Any]:
        code, out, err = self.animus(*words, "--json")
        reply_data = json.loads(out or err)
        return code, reply_data["data"] if reply_data["ok"] else reply_data["error"]

    def write(self, name: str, text: str = "text\n", mode: int = 0o644) -> Path:
        return write_below(self.root, name, text, mode)

    @property
    def trusted(self) -> bool:
        return is_trusted(self.config, self.root)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    root, config = tmp_path / "project", tmp_path / "config"
    root.mkdir()
    monkeypatch.setenv("ANIMUS_CONFIG_DIR", str(config))
    return Home(root.resolve(), config, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes standard input a terminal on which somebody types an answer; standard output counts as one as well.

    `meanwhile` happens before they type.
    """

    class Typed(io.StringIO):
        def __init__(self, answer: str, meanwhile: Callable[[], object]) -> None:
            super().__init__(answer)
            self._meanwhile = meanwhile

        def isatty(self) -> bool:
            return True

        def readline(self, size: int | None = -1, /) -> str:
            self._meanwhile()
            return super().readline(size)

    def types(answer: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        monkeypatch.setattr("sys.stdin", Typed(answer, meanwhile))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    return types


def test_init_trusts_what_it_wrote_and_says_that_work_can_begin(home: Home) -> None:
    code, out, _ = home.animus("init")
    assert code == 0
    assert home.trusted
    assert "Next: animus daemon start" in out
    assert home.json("init")[1] == {
        "project_root": str(home.root),
        "repo_scope": home.config.joinpath("trust").glob("*.json").__next__().stem,
        "created": False,
        "trusted": True,
    }


@pytest.mark.parametrize("name", ["scripts/x", "workflows/other.yaml", "config.json", "workflows.yaml", "tasks/x"])
def test_init_trusts_nothing_beside_something_that_came_with_the_repository(home: Home, name: str) -> None:
    home.write(name, mode=0o755)
    code, out, _ = home.animus("init")
    assert code == 0
    assert not home.trusted
    assert "Next: animus trust" in out


def test_init_trusts_what_it_adds_to_what_was_trusted_before(home: Home) -> None:
    home.write("workflows/own.yaml", "workflows: []\n")
    grant(home.config, home.root)
    assert home.json("init")[1]["trusted"]
    assert home.trusted
    (home.root / ".animus/config.json").unlink()
    home.write("workflows/own.yaml", "workflows: [ ]\n")
    reply_data = home.json("init")[1]
    assert (reply_data["created"], reply_data["trusted"]) == (True, False)
    assert "own.yaml (changed)" in reply_data["untrusted"]


def test_without_a_terminal_nothing_is_trusted_unless_yes_is_given(home: Home) -> None:
    home.write("scripts/x", mode=0o755)
    code, out, err = home.animus("trust")
    assert code == 2
    assert "  .animus/scripts/x (executable)\n" in out
    assert "animus trust --yes" in err
    code, error = home.json("trust")
    assert (code, error["code"], error["details"]["changes"]) == (
        2,
        "invalid_input",
        [{"path": "scripts/x", "what": "added, executable"}],
    )
    assert not home.trusted
    code, reply_data = home.json("trust", "--yes")
    assert (code, reply_data["trusted"], reply_data["mode"], reply_data["root"]) == (0, True, "ask", str(home.root))
    assert reply_data["changes"] == error["details"]["changes"]
    assert reply_data["digest"] == error["details"]["digest"]
    assert home.trusted
    assert home.json("trust")[0] == 0


def test_on_a_terminal_only_a_yes_trusts(home: Home, terminal: Callable[..., None]) -> None:
    home.write("w.yaml")
    for answer in ("\n", "n\n", "", "maybe\n"):
        terminal(answer)
        code, out, err = home.animus("trust")
        assert (code, home.trusted) == (4, False)
        assert "Trust this? [y/N]" in out
        assert "nothing was changed" in err
    terminal("y\n")
    assert home.animus("trust")[0] == 0
    assert home.trusted


def test_what_changes_while_a_person_reads_is_not_trusted(home: Home, terminal: Callable[..., None]) -> None:
    path = home.write("w.yaml")
    terminal("y\n", meanwhile=lambda: path.write_text("mean\n"))
    code, _, err = home.animus("trust")
    assert code == 4
    assert "has changed since it was shown" in err
    assert not home.trusted


def test_show_changes_nothing_and_tells_by_its_exit_code(home: Home) -> None:
    assert home.json("trust", "--show")[0] == 0  # there is nothing to execute
    home.write("w.yaml", "one\n")
    code, out, _ = home.animus("trust", "--show", "--yes")
    assert (code, home.trusted) == (4, False)
    assert "  .animus/w.yaml\n" in out
    grant(home.config, home.root)
    home.write("w.yaml", "two\x1b[31m\n")
    code, error = home.json("trust", "--show")
    assert (code, error["details"]["trusted"]) == (4, False)
    assert error["details"]["diff"].splitlines()[-2:] == ["-one", "+two\\x1b[31m"]
    code, out, _ = home.animus("trust", "--show")
    assert "\n-one\n+two\\x1b[31m\n" in out
    grant(home.config, home.root)
    assert home.json("trust", "--show")[0] == 0


def test_an_agent_in_a_run_cannot_trust_what_it_may_have_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write("w.yaml")
    monkeypatch.setenv(COOKIE, "run:x")
    for words in (["--yes"], ["--auto", "--yes"]):
        code, error = home.json("trust", *words)
        assert (code, home.trusted) == (4, False)
        assert "A person has to look at it" in error["hint"]


def test_auto_and_ask_switch_the_mode_and_revoke_ends_both(home: Home, terminal: Callable[..., None]) -> None:
    path = home.write("w.yaml")
    assert home.json("trust", "--auto")[0] == 2
    assert home.json("trust", "--auto", "--yes")[1]["mode"] == "auto"
    path.write_text("other\n")
    assert home.trusted
    terminal("n\n")
    assert home.animus("trust", "--ask")[0] == 4  # the change was never shown to anybody
    assert home.json("trust", "--ask", "--yes")[1]["mode"] == "ask"
    path.write_text("mean\n")
    assert not home.trusted
    assert home.json("trust", "--revoke")[1]["trusted"] is False
    assert home.json("trust", "--revoke")[0] == 0
    assert not home.trusted


def test_what_cannot_be_trusted_is_refused_with_its_name(home: Home) -> None:
    home.write("w.yaml")
    os.symlink("/proc/self/mem", home.root / ".animus/mem")
    code, error = home.json("trust", "--yes")
    assert (code, home.trusted) == (2, False)
    assert ".animus/mem: cannot be read" in error["message"]
