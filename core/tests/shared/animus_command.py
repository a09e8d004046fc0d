"""The real `animus` command, run in a folder: how it ended and what it printed; a traceback fails the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
COMMAND_S = 40.0


@dataclass(frozen=True)
class Result:
    """How a command ended. `data` and `error` are those of the `animus.cli.v1` envelope, None where there is none."""

    code: int
    data: Any
    error: Any
    stdout: str
    stderr: str

    @property
    def printed(self) -> str:
        """The error's message and hint, as a person reads them."""
        return f"{self.error['message']}\n{self.error.get('hint', '')}" if self.error else self.stderr


@dataclass
class Animus:
    """Runs the `animus` command in the project. Any traceback that it prints fails the test."""

    root: Path
    env: dict[str, str]

    def __call__(self, *args: str, **options: Any) -> Result:
        """Run with `--json`; options as of `text`."""
        result = self.text("--json", *args, **options)
        for stream in (result.stdout, result.stderr):
            assert len(stream.splitlines()) <= 1, f"more than one envelope: {stream}"
        return result

    def text(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout_s: float = COMMAND_S
    ) -> Result:
        """Run as a person does; `env` is added to the environment."""
        done = subprocess.run(
            [BIN / "animus", *args],
            cwd=cwd or self.root,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        data, error = _envelope(done.stdout, ok=True), _envelope(done.stderr, ok=False)
        return Result(done.returncode, data, error, done.stdout, done.stderr)

    def together(self, *commands: Sequence[str]) -> list[Result]:
        """Several commands at the same time, with `--json`; their results in the order of the commands."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda command: self(*command), commands))

    def spawn(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """A command that goes on; the caller ends it."""
        return subprocess.Popen([BIN / "animus", *args], cwd=self.root, env=self.env, text=True, **options)


def _envelope(text: str, *, ok: bool) -> Any:
    """The data or the error of an envelope, if this is one."""
    try:
        printed = json.loads(text)
    except ValueError:
        return None
    if not isinstance(printed, dict) or printed.get("schema") != "animus.cli.v1":
        return None
    assert printed["ok"] is ok, f"the envelope is on the wrong stream: {text}"
    return printed["data"] if ok else printed["error"]
