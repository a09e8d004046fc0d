"""A mutant as a process: `proxy.py NAME -- COMMAND`, a good plugin's command with one mutation in between.

Below it lie the mutants and the good plugin. Two threads move lines, and a lock lets a mutation see one at a time. The
plugin behind is forked off and not started anew where it is a Python script, since a run of the zoo starts thousands.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from typing import Any, NoReturn

from mutation import MUTANTS, Message, Mutation, Sent


class Proxy:
    """Passes lines both ways through a mutation."""

    def __init__(self, mutation: Mutation, command: list[str]) -> None:
        self._mutation = mutation
        self._lock = threading.RLock()
        self._requests: dict[Any, Message] = {}
        self._plugin = Behind(command)
        mutation.connect(self._say, self._pass_on)

    def run(self) -> NoReturn:
        """Until the plugin behind has ended."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self._at_sigterm, daemon=True).start()
        with self._lock:
            self._mutation.at_start()
        threading.Thread(target=self._from_host, daemon=True).start()
        for line in self._plugin.output:
            with self._lock:
                self._from_plugin(line)
        os._exit(self._mutation.at_exit(self._plugin.wait()))

    def _at_sigterm(self) -> None:
        """A handler would be late when the signal comes just before a read that blocks."""
        while True:
            number = signal.sigwait({signal.SIGTERM})
            if self._mutation.at_sigterm():
                os.kill(self._plugin.pid, number)

    def _from_host(self) -> None:
        rest = b""
        while chunk := os.read(0, 65536):
            with self._lock:
                *lines, rest = (rest + self._mutation.raw_chunk(chunk)).split(b"\n")
                for line in lines:
                    kept = self._mutation.raw_line(line + b"\n")
                    if kept is not None:
                        self._host_line(kept)
        if self._mutation.at_end_of_input():
            os.close(self._plugin.input_fd)

    def _host_line(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            self._write(line)
            return
        if message.get("id") is not None and isinstance(message["id"], int | str):
            self._requests[message["id"]] = message
            changed = self._mutation.asked(json.loads(line))
        else:
            changed = self._mutation.notified(json.loads(line))
        if changed is not None:
            self._write(line if changed == message else _line(changed))

    def _from_plugin(self, line: bytes) -> None:
        message = json.loads(line)
        if "method" in message:
            self._say(self._mutation.notifies(message))
        else:
            request = self._requests.pop(message.get("id"), None)
            self._say(message if request is None else self._mutation.answers(request, message))

    def _say(self, sent: Sent) -> None:
        pieces = sent if isinstance(sent, list) else [] if sent is None else [sent]
        for piece in pieces:
            sys.stdout.buffer.write(piece if isinstance(piece, bytes) else _line(piece))
        sys.stdout.buffer.flush()

    def _pass_on(self, message: Message) -> None:
        self._write(_line(message))

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._plugin.input_fd, line) :]
        except BrokenPipeError:
            pass  # it has ended, which the other thread notices


class Behind:
    """The good plugin's process: `output` is a file of its lines, `input_fd` what it reads from."""

    def __init__(self, command: list[str]) -> None:
        read_fd, self.input_fd = os.pipe()
        output_fd, write_fd = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(read_fd, 0)
            os.dup2(write_fd, 1)
            for fd in (read_fd, write_fd, self.input_fd, output_fd):
                os.close(fd)
            _become(command)
        os.close(read_fd)
        os.close(write_fd)
        self.output = os.fdopen(output_fd, "rb")

    def wait(self) -> int:
        """Its exit code, as a shell would say it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code if code >= 0 else 128 - code


def _become(command: list[str]) -> NoReturn:
    """Be the plugin behind, in this forked process."""
    if command[:2] != [sys.executable, "-S"]:
        os.execvp(command[0], command)
    sys.argv = command[2:]
    sys.path[0] = os.path.dirname(command[2])
    try:
        runpy.run_path(command[2], run_name="__main__")
    finally:
        sys.stdout.flush()
        os._exit(0)


def _line(message: object) -> bytes:
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, as it came
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _manifest(mutation: Mutation, command: list[str]) -> NoReturn:
    done = subprocess.run([*command, "--manifest"], stdout=subprocess.PIPE, check=False)
    changed = mutation.manifest(json.loads(done.stdout))
    sys.stdout.buffer.write(changed if isinstance(changed, bytes) else _line(changed))
    sys.stdout.buffer.flush()
    sys.exit(mutation.manifest_exit(done.returncode))


def main() -> NoReturn:
    """The command line."""
    name, module, dashes, *command = sys.argv[1:]
    assert dashes == "--"
    importlib.import_module(f"mutants.{module}")
    mutation = MUTANTS[name].mutation()
    if command[-1:] == ["--manifest"]:
        _manifest(mutation, command[:-1])
    if sys.stdin.isatty():
        code = mutation.on_terminal()
        sys.exit(subprocess.run(command, check=False).returncode if code is None else code)
    Proxy(mutation, command).run()


if __name__ == "__main__":
    main()
