"""Reads the fenced blocks of a Markdown page and carries them out, in order, the way its reader would.

Used by the tests beside it. What a block means stands in its info string:

- `yaml title=PATH` (any language): the file PATH, written into the folder where the reader stands; `~` is their home.
- `console`: `$ ` begins a command, `> ` goes on with it, every other line is output. `…` alone stands for any lines, inside
  a line for any text. A block without output lines says nothing about the output. All commands succeed, unless `exit=N`
  says how the last one ends. The next block starts in the folder where this one ended.
- `console eventually`: the block is repeated until its output fits. `console like`: every line that is printed is one of
  the lines shown, in any number. `console dry-run`: for this repository's own `make`, which is asked what it would do.
- anything else is only shown.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Block", "Reader", "blocks"]

BLOCK_S: Final = 30.0
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
    """Somebody who follows a page: a home, a place to stand, an environment, and this repository for `make`."""

    home: Path
    cwd: Path
    env: dict[str, str]
    repository: Path

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
        while True:
            printed = self.shell(block)
            fits = _fits(block, printed)
            if fits or "eventually" not in block.words or time.monotonic() > deadline:
                break
        wanted = "\n".join(block.output)
        assert fits, f"{block.place} says\n{wanted}\n\nbut it is\n{printed}"

    def shell(self, block: Block) -> str:
        """Run the block once; its standard output and error as one text."""
        dry = "dry-run" in block.words
        stands = self.home / ".stands"
        done = subprocess.run(
            ["sh", "-ec", f"trap 'pwd > \"$HOME/{stands.name}\"' EXIT\n{block.script}"],
            cwd=self.repository if dry else self.cwd,
            env={**self.env, "MAKEFLAGS": "n"} if dry else self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BLOCK_S,
            check=False,
        )
        wanted = int(block.options.get("exit", 0))
        assert done.returncode == wanted, f"{block.place}: exit code {done.returncode}, not {wanted}\n{done.stdout}"
        assert "Traceback" not in done.stdout, f"{block.place}:\n{done.stdout}"
        if not dry:
            self.cwd = Path(stands.read_text().rstrip("\n"))
        return done.stdout


def _fits(block: Block, printed: str) -> bool:
    if not block.output:
        return True
    lines = [line.rstrip() for line in printed.splitlines()]
    if "like" in block.words:
        return all(any(_line(wanted).fullmatch(line) for wanted in block.output) for line in lines)
    pattern = "".join(r"(?:.*\n)*" if wanted == "…" else _line(wanted).pattern + r"\n" for wanted in block.output)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _line(wanted: str) -> re.Pattern[str]:
    return re.compile(re.escape(wanted).replace("…", ".*"))
