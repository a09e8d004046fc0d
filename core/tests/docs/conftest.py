"""Reads the fenced blocks of a Markdown page and carries them out, in order, the way its reader would.

The fixture `new_reader` makes such readers, each with a home of their own. What a block means stands in its info
string:

- `yaml title=PATH` (any language): the file PATH, written into the folder where the reader stands; `~` is their home.
- `console`: `$ ` begins a command, `> ` goes on with it, every other line is output. `…` alone stands for any lines,
  inside a line for any text; how wide a column is does not matter. A block without output lines says nothing about the
  output. All commands succeed, unless `exit=N` says how the last one ends. The next block has the folder and the
  variables of this one.
- `console eventually`: the block is repeated until its output fits.
- `console like`: every line that is printed is one of the lines shown, in any number.
- `console patient`: the block may take two minutes.
- `console dry-run`: for this repository's own `make`, which is asked what it would do.
- anything else is only shown.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

BLOCK_S: Final = 30.0
PATIENT_S: Final = 120.0
END_S: Final = 5.0
REPOSITORY: Final = Path(__file__).parents[3]
GIT_CONFIG: Final = "[init]\n\tdefaultBranch = main\n"
BLANKS: Final = re.compile(" {2,}")
FENCE: Final = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block; `place` is `page:line` of its fence."""

    place: str
    language: str
    words: frozenset[str]
    options: Mapping[str, str]
    body: str

    @property
    def script(self) -> str:
        """The commands of a console block."""
        lines = self.body.splitlines()
        return "\n".join(line[2:] for line in lines if line.startswith(("$ ", "> ")))

    @property
    def output(self) -> list[str]:
        """What a console block says that its commands print."""
        return [line.rstrip() for line in self.body.splitlines() if not line.startswith(("$ ", "> "))]


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of the page, from the top."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        options = dict(word.split("=", 1) for word in words if "=" in word)
        plain = frozenset(word for word in words if "=" not in word)
        place = f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}"
        yield Block(place, language, plain, options, found["body"])


@dataclass
class Reader:
    """Somebody who follows a page: a home, a place to stand, and an environment."""

    home: Path
    cwd: Path
    env: dict[str, str]

    def follow(self, page: Path) -> int:
        """Carry the page out; how many blocks there were to carry out."""
        done = 0
        for block in blocks(page):
            if "title" in block.options:
                self.write(block)
            elif block.language == "console":
                self.run(block)
            else:
                continue
            done += 1
        return done

    def write(self, block: Block) -> None:
        """The file of a block with a title."""
        title = block.options["title"]
        path = self.home / title.removeprefix("~/") if title.startswith("~/") else self.cwd / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")

    def run(self, block: Block) -> None:
        """The commands of a console block, and what they print."""
        deadline = time.monotonic() + BLOCK_S
        wanted_code = int(block.options.get("exit", 0))
        while True:
            code, printed = self.shell(block)
            fits = code == wanted_code and _fits(block, printed)
            if fits or "eventually" not in block.words or time.monotonic() > deadline:
                break
        wanted = "\n".join(block.output)
        assert fits, f"{block.place} ends with {wanted_code} and says\n{wanted}\n\nbut it is {code} and\n{printed}"
        assert "Traceback" not in printed, f"{block.place}:\n{printed}"

    def shell(self, block: Block) -> tuple[int, str]:
        """Run the block once; the exit code, and its standard output and error as one text."""
        dry = "dry-run" in block.words
        stands, session = self.home / ".stands", self.home / ".session"
        session.touch()
        kept = "" if dry else f". {session}\ntrap 'pwd > {stands}; export -p > {session}' EXIT\n"
        done = subprocess.run(
            ["sh", "-aec", f"{kept}{block.script}"],
            cwd=REPOSITORY if dry else self.cwd,
            env={**self.env, "MAKEFLAGS": "n"} if dry else self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENT_S if "patient" in block.words else BLOCK_S,
            check=False,
        )
        if not dry:
            self.cwd = Path(stands.read_text().rstrip("\n"))
        return done.returncode, done.stdout


def _fits(block: Block, printed: str) -> bool:
    if not block.output:
        return True
    lines = [BLANKS.sub("  ", line.rstrip()) for line in printed.splitlines()]
    if "like" in block.words:
        return all(any(_line(wanted).fullmatch(line) for wanted in block.output) for line in lines)
    pattern = "".join(r"(?:.*\n)*" if wanted == "…" else _line(wanted).pattern + r"\n" for wanted in block.output)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _line(wanted: str) -> re.Pattern[str]:
    return re.compile(re.escape(BLANKS.sub("  ", wanted)).replace("…", ".*"))


@pytest.fixture
def new_reader(cache_dir: Path) -> Iterator[Callable[[], Reader]]:
    """Makes readers, each in an empty folder of an empty home; what they leave running is ended, and the test fails."""
    homes: list[Path] = []
    kept = {name: os.environ[name] for name in ("LANG", "USER") if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def make() -> Reader:
        home = Path(tempfile.mkdtemp(prefix="an"))  # short, because sockets are made below it
        homes.append(home)
        (home / ".gitconfig").write_text(GIT_CONFIG)
        own = {"HOME": str(home), "TMPDIR": str(home / ".tmp"), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        own["ANIMUS_CACHE_DIR"] = str(cache_dir)
        (home / ".tmp").mkdir()  # a pytest on the page clears old runs away at its end, and those of others take long
        return Reader(home, home, {**kept, **own})

    try:
        yield make
        left = [name for home in homes for pid in _processes_of(home) if (name := _outlives(pid)) is not None]
        assert not left, f"processes outlived the page: {left}"
        for home in homes:
            for log in (*home.glob(".animus/*/daemon/*.log"), *home.glob(".animus/*/runs/*/runner.log")):
                assert "Traceback" not in log.read_text(), f"{log}:\n{log.read_text()}"
    finally:
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def new_author(new_reader: Callable[[], Reader]) -> Callable[[], Reader]:
    """Makes readers who stand in a copy of this repository, with a Python environment of their own.

    Nothing can be fetched: what others have made is there already, and nothing of Animus is.
    """

    def make() -> Reader:
        reader = new_reader()
        folder = reader.home / "environment"
        venv.create(folder, symlinks=True)
        [packages] = folder.glob("lib/python*/site-packages")
        others = reader.home / "others"
        others.mkdir()
        for package in Path(sysconfig.get_path("purelib")).iterdir():
            if "animus" not in package.name:
                (others / package.name).symlink_to(package)
        (packages / "others.pth").write_text(f"import site; site.addsitedir({str(others)!r})\n")
        for name in ("pip", "pytest"):
            own = folder / "bin" / name
            own.write_text(f'#!/bin/sh\nexec {folder}/bin/python -m {name} "$@"\n')
            own.chmod(0o755)
        env = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return Reader(reader.home, _copy_of_the_repository(reader.home), {**reader.env, **env, "PATH": path})

    return make


def _copy_of_the_repository(home: Path) -> Path:
    copy = home / "animus"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=REPOSITORY, text=True, timeout=BLOCK_S).split("\0"):
        if (REPOSITORY / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, copy / name)
    environment = copy / ".venv"
    environment.mkdir()
    for entry in Path(sys.prefix).iterdir():
        (environment / entry.name).symlink_to(entry)
    stamp = environment / ".complete"
    stamp.unlink(missing_ok=True)
    stamp.touch()  # later than all that the environment was made from, so that make takes it as it is
    return copy


def _processes_of(home: Path) -> list[int]:
    wanted = os.fsencode(f"HOME={home}")
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def _outlives(pid: int) -> str | None:
    """What a process is that does not end in time; it is killed then."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if select.select([handle], [], [], END_S)[0]:
            return None
        name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return name
    except (FileNotFoundError, ProcessLookupError):
        return None
    finally:
        os.close(handle)
