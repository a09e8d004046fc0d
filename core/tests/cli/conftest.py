"""`animus plugin dev` as a process, and a small plugin without any SDK to work on."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 30.0
PLUGIN = """\
import json, os, signal, subprocess, sys

MANIFEST = {"name": "tiny", "version": "VERSION", "plugin_kind": "subject_backend", "description": "made by a test",
            "protocol_version": "1.0.0", "capabilities": ["note/list", "subject_kind:note"]}
INFO = {name: MANIFEST[name] for name in ("name", "version", "plugin_kind")}
GREETING = {"protocol_version": "1.0.0", "plugin_info": INFO,
            "capabilities": {"methods": ["note/list", "slow"], "subject_kinds": ["note"]}}

def say(line):
    os.write(1, line.encode() + b"\\n")

def reply(id, result):
    say(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))

def main():
    if "--manifest" in sys.argv:
        say(json.dumps(MANIFEST))
        return 0
    waiting = None
    for line in sys.stdin:
        frame = json.loads(line)
        match frame["method"]:
            case "initialize": reply(frame["id"], GREETING)
            case "note/list":
                say("no frame at all")
                print("a line of stderr", file=sys.stderr, flush=True)
                say(json.dumps({"jsonrpc": "2.0", "method": "note/told", "params": {"word": "\\u00fc"}}))
                reply(frame["id"], {"asked": frame["params"], "argv": sys.argv[1:]})
            case "slow": waiting = frame["id"]
            case "escape":
                child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
                reply(frame["id"], [os.getpid(), child.pid])
            case "$/cancelRequest":
                say(json.dumps({"jsonrpc": "2.0", "id": waiting, "error": {"code": -32002, "message": "cancelled"}}))
            case "die": os._exit(3)
            case "shutdown": reply(frame["id"], {})
            case "exit": return 0
            case _:
                if "id" in frame:
                    reply(frame["id"], {})
    return 0

if __name__ == "__main__":
    sys.exit(main())
"""


class Dev:
    """A running `animus plugin dev`: what is typed, and what it says until a text comes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = ""
        self._seen = 0

    def type(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def until(self, text: str) -> str:
        """What it has said since the last time, up to the line with `text`."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_S
        while (found := self.said.find(text, self._seen)) < 0 or (end := self.said.find("\n", found)) < 0:
            ready = select.select([self.process.stdout], [], [], deadline - time.monotonic())[0]
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert chunk, f"{text!r} was never said, but\n{self.said}"
            self.said += chunk.decode()
        begin, self._seen = self._seen, end + 1
        return self.said[begin:end]

    def frames(self) -> list[dict[str, Any]]:
        """All that it has said, of one with --json."""
        return [json.loads(line) for line in self.said.splitlines()]

    def end(self) -> int:
        """Close its input and read the rest; its exit code."""
        rest, _ = self.process.communicate(timeout=DEADLINE_S)
        self.said += rest.decode()
        return self.process.returncode

    def interrupt(self) -> int:
        """Ctrl-C, and its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small plugin as an executable, with a version and replaced parts."""

    def write(version: str = "1", name: str = "tiny.py", **replaced: str) -> Path:
        path = tmp_path / name
        text = f"#!{sys.executable}\n" + PLUGIN.replace("VERSION", version)
        for old, new in replaced.items():
            text = text.replace(old, new)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(path)  # one change, as editors make it
        return path

    return write


@pytest.fixture
def dev_environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "ANIMUS_CONFIG_DIR": str(tmp_path / "config"), "TERM": "xterm"}


@pytest.fixture
def dev(tmp_path: Path, dev_environment: dict[str, str]) -> Iterator[Callable[..., Dev]]:
    """Starts the command in a project of its own; nothing of it runs on after the test."""
    started: list[Dev] = []

    def start(*words: str) -> Dev:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "animus_core.cli.main", "plugin", "dev", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=project, env=dev_environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
        )
        started.append(Dev(process))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate(timeout=DEADLINE_S)
