"""The benchmark's side of the line protocol: starts a contender's process, asks it for cells, and ends it.

Called by `run_bench.py`; `contenders/cells.py` is the other side. Every wait has a deadline, and a contender that
does not work is an error with its own last words.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from contenders.cells import Order
from contenders.payload import CONCURRENT, fields

__all__ = ["COMMANDS", "NODE_MODULES", "Driver", "DriverFailed", "left_out"]

_HERE: Final = Path(__file__).parent
_START_S: Final = 60.0
_ANSWER_S: Final = 60.0
_END_S: Final = 10.0
_LAST_WORDS_BYTES: Final = 4000

NODE_MODULES: Final = Path(sys.prefix) / "node" / "node_modules"


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"contenders.{module}")


COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "raw": _python("raw_host"),
    "floor": _python("floor_host"),
    "animus": _python("animus_host"),
    "lspjsonrpc": _python("lsp_host"),
    "vscode": ("node", "contenders/vscode_host.cjs", json.dumps(fields()), str(CONCURRENT)),
    "pygls": _python("pygls_host"),
    "grpc": _python("grpc_host"),
    "mcp": _python("mcp_host"),
}
"""Contenders in the order of a round: those that are compared most closely stand together."""


def left_out() -> dict[str, str]:
    """Contenders that this machine cannot run, and why: only Node's, everything else is installed with us."""
    if shutil.which("node") is None:
        return {"vscode": "there is no node"}
    if not (NODE_MODULES / "vscode-jsonrpc").is_dir():
        return {"vscode": "vscode-jsonrpc could not be installed"}
    return {}


class DriverFailed(Exception):
    """A contender does not work: who, what, and what it wrote to stderr."""


class Driver:
    """One contender's host process, warm between its cells. Use it as a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: frozenset[str] = frozenset()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process, closed in _end
        self._process = subprocess.Popen(
            COMMANDS[name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=_HERE,
            env=_environment(),
        )

    def __enter__(self) -> Driver:
        try:
            self.cells = frozenset(self._answer(_START_S)["cells"])
        except BaseException:
            self._end(0.0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(_END_S)

    def ask(self, order: Order) -> float:
        """Run a cell; things a second. Raises DriverFailed."""
        if self._process.stdin is None:
            raise DriverFailed(f"{self.name}: no pipe")
        try:
            self._process.stdin.write(json.dumps(order._asdict()).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failed(f"was gone before {order.cell}") from error
        answer = self._answer(_ANSWER_S)
        return float(answer["done"]) / float(answer["seconds"])

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        if self._process.stdout is None:
            raise DriverFailed(f"{self.name}: no pipe")
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            raise self._failed(f"did not answer within {timeout_s:g} s")
        line = self._process.stdout.readline()  # answers are single lines, so nothing stays behind in the buffer
        if not line:
            raise self._failed("ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self, what: str) -> DriverFailed:
        size_bytes = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size_bytes - _LAST_WORDS_BYTES))
        words = self._stderr.read().decode(errors="replace").strip()
        return DriverFailed(f"{self.name} {what}; its stderr:\n{words}")

    def _end(self, timeout_s: float) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()


def _environment() -> dict[str, str]:
    """Ours, with bytecode caching on: without it every start of a plugin or a server would compile it anew."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "NODE_PATH": str(NODE_MODULES)}
