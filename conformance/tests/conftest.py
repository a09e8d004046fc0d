"""What the tests of the suite share: plugins of the zoo as commands, the command line as a process, a report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from animus_conformance.cli import main
from animus_conformance.judgement import Report, levels_of
from animus_conformance.verdict import CheckOutcome, CheckVerdict, Level, Strength

ZOO: Final = Path(__file__).parents[1] / "zoo"
COMMAND_S: Final = 50.0

_GOOD: Final = (sys.executable, "-S", str(ZOO / "good" / "custom.py"))


class Ended(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


class Workplace(NamedTuple):
    """An empty folder to work in, with a folder for temporary files that is looked at afterwards."""

    folder: Path
    temporary: Path
    environment: dict[str, str]

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Ended:
        """`animus-conformance` with these arguments."""
        command = [sys.executable, "-m", "animus_conformance", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMMAND_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def program(self, name: str, text: str) -> Path:
        """An executable file in the folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Somewhere to call the command from; no temporary file of a run may be left behind."""
    folder, temporary = tmp_path / "work", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    return Workplace(folder, temporary, {**os.environ, "TMPDIR": str(temporary), "PYTHONWARNINGS": "error"})


@pytest.fixture
def called(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Calls the command in this process, which is quicker: `called("list", "--json")`."""
    monkeypatch.chdir(workplace.folder)
    monkeypatch.setattr(tempfile, "tempdir", str(workplace.temporary))

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["animus-conformance", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)

    return call


@pytest.fixture(scope="session")
def good() -> Sequence[str]:
    """The command of a plugin that keeps the protocol."""
    return _GOOD


@pytest.fixture(scope="session")
def mutant() -> Callable[[str, str], Sequence[str]]:
    """The command of a plugin that is broken on purpose, by its name in the zoo and the module where it lives."""

    def command(name: str, module: str) -> Sequence[str]:
        return (sys.executable, "-S", str(ZOO / "proxy.py"), name, module, "--", *_GOOD)

    return command


@pytest.fixture
def report() -> Report:
    """A report with every verdict, and with texts that no format likes."""
    nasty = 'a "quote" & <b>tag</b> ]]> \x00\x1b[31m\ud800\uffff\u202e ü\nsecond line'

    def outcome(name: str, level: Level, strength: Strength, verdict: CheckVerdict) -> CheckOutcome:
        passed = verdict is CheckVerdict.PASS
        return CheckOutcome(
            name,
            level,
            strength,
            verdict,
            "" if passed else nasty,
            0.25,
            "" if passed else f"process 1\n{nasty}",
            f"animus-conformance run --only {name} -- plugin",
        )

    outcomes = [
        outcome("manifest.prints-one-object", Level.L0, Strength.MUST, CheckVerdict.PASS),
        outcome("lifecycle.exit-code-0", Level.L0, Strength.MUST, CheckVerdict.EXPECTED_FAILURE),
        outcome("audit.served-methods-are-advertised", Level.L2, Strength.SHOULD, CheckVerdict.FAIL),
        outcome("audit.advertised-methods-answer", Level.L2, Strength.MUST, CheckVerdict.NOT_ADVERTISED),
        outcome("hostile.big-frames", Level.L3, Strength.MUST, CheckVerdict.FAIL),
        outcome("hostile.deep-nesting", Level.L3, Strength.MUST, CheckVerdict.UNPROVEN),
    ]
    return Report(
        plugin={"name": "animus-<nasty>", "version": None},
        kind="custom",
        command=["plugin", "a b"],
        profile="1.1",
        seed=7,
        levels=levels_of(outcomes),
        outcomes=outcomes,
    )
