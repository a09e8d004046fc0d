"""`make` begins an installation anew unless the last one came to its end: our Makefile, with a Python made up.

That Python is a script. It notes down what it is asked and fails where it is told to. Where it is told to wait it opens
a pipe that the test reads, so that the test knows where make stands when it ends make and all that make has started.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

MAKEFILE: Final = Path(__file__).parents[3] / "Makefile"
NEEDED: Final = (
    "constraints.txt",
    "core/bench/requirements.txt",
    *(f"{folder}/pyproject.toml" for folder in ("sdk", "core", "conformance", "templates")),
)
PYTHON: Final = """\
#!/bin/sh
case "$1 $2" in
"-c import sys; print"*) echo "$(basename "$0") of the test"; exit ;;
"-c "*) exit ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
echo "$@" >>asked
step=$(wc -l <asked)
if [ "$step" = "$(cat waits 2>/dev/null)" ]; then echo here >here; exec cat never; fi
if [ "$step" = "$(cat fails 2>/dev/null)" ]; then echo "no space left on device" >&2; exit 1; fi
"""
STEPS: Final = 4  # venv, what is pinned, our own distributions, pip check
END_S: Final = 20.0


@dataclass
class Workspace:
    """A repository that has a Makefile, and nothing but what the Makefile needs to install."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Make, in a process group of its own."""
        process = subprocess.Popen(
            ["make", *arguments],
            cwd=self.folder,
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], how: signal.Signals) -> None:
        """Send the signal to make and to all that it has started, as a terminal does."""
        os.killpg(process.pid, how)
        process.communicate(timeout=END_S)

    def make(self, *arguments: str) -> tuple[int, str]:
        """How make ends, and what it prints."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=END_S)
        return process.returncode, output

    def at_step(self, file: str, step: int) -> None:
        """Have Python wait or fail when it is asked for the `step`th time, from 1."""
        self.write(file, str(step))

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)

    def asked(self) -> list[str]:
        """What Python was asked since the last time."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def as_usual(self) -> None:
        """Python neither waits nor fails any longer, and what it was asked is forgotten."""
        for file in ("waits", "fails", "asked"):
            (self.folder / file).unlink(missing_ok=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    for file in NEEDED:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    shutil.copy(MAKEFILE, tmp_path)
    (tmp_path / "bin").mkdir()
    for name, text in (("python3", PYTHON), ("python3.99", PYTHON), ("npm", "#!/bin/sh\nexit 1\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    for pipe in ("here", "never"):
        os.mkfifo(tmp_path / pipe)
    workspace = Workspace(tmp_path)
    yield workspace
    for process in workspace.started:
        if process.returncode is None:
            workspace.end(process, signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("environment", [".venv", ".venv-bench"])
def test_an_installation_that_was_ended_in_the_middle_begins_anew(
    workspace: Workspace, environment: str, step: int, how: signal.Signals
) -> None:
    workspace.at_step("waits", step)
    process = workspace.start(environment)
    assert (workspace.folder / "here").read_text() == "here\n"
    workspace.end(process, how)
    assert (workspace.folder / environment / "bin/python").exists(), "something was left behind that looks like it"

    workspace.as_usual()
    assert workspace.make(environment)[0] == 0
    assert len(workspace.asked()) == STEPS
    assert workspace.make(environment)[0] == 0
    assert workspace.asked() == [], "the second one was whole"


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("environment", [".venv", ".venv-bench"])
def test_an_installation_that_failed_says_so_and_begins_anew(workspace: Workspace, environment: str, step: int) -> None:
    workspace.at_step("fails", step)
    code, output = workspace.make(environment)
    assert code != 0
    assert "no space left on device\nThe installation failed; nothing is left of it.\n" in output
    assert not (workspace.folder / environment).exists()

    workspace.as_usual()
    assert workspace.make(environment)[0] == 0
    assert len(workspace.asked()) == STEPS


def test_a_whole_environment_that_is_being_replaced_does_not_count_either(workspace: Workspace) -> None:
    assert workspace.make(".venv")[0] == 0
    workspace.as_usual()
    workspace.at_step("waits", 2)
    process = workspace.start(".venv", "PYTHON=python3.99")
    assert (workspace.folder / "here").read_text() == "here\n"
    workspace.end(process, signal.SIGKILL)

    workspace.as_usual()
    assert workspace.make(".venv")[0] == 0
    assert len(workspace.asked()) == STEPS


@pytest.mark.parametrize("environment", [".venv", ".venv-bench"])
def test_a_python_that_is_named_is_the_one_that_is_used(workspace: Workspace, environment: str) -> None:
    stamp = workspace.folder / environment / ".complete"
    assert workspace.make(environment)[0] == 0
    assert stamp.read_text() == "python3 of the test\n"
    workspace.as_usual()

    assert workspace.make(environment, "PYTHON=python3.99")[0] == 0
    assert len(workspace.asked()) == STEPS
    assert stamp.read_text() == "python3.99 of the test\n"

    assert workspace.make(environment, "PYTHON=python3.99")[0] == 0
    assert workspace.make(environment)[0] == 0
    assert workspace.asked() == [], "it is there already, and who names none takes what there is"


def test_a_python_that_does_not_exist_takes_nothing_away(workspace: Workspace) -> None:
    assert workspace.make(".venv")[0] == 0
    code, output = workspace.make(".venv", "PYTHON=python3.98")
    assert code != 0
    assert "Animus needs Python 3.11 or newer, and 'python3.98' is not" in output
    workspace.as_usual()
    assert workspace.make(".venv")[0] == 0
    assert workspace.asked() == []


def test_a_changed_pin_has_the_environment_made_anew(workspace: Workspace) -> None:
    assert workspace.make(".venv")[0] == 0
    workspace.as_usual()
    stamp = (workspace.folder / ".venv/.complete").stat().st_mtime
    os.utime(workspace.folder / "constraints.txt", (stamp + 2, stamp + 2))
    assert workspace.make(".venv")[0] == 0
    assert len(workspace.asked()) == STEPS
