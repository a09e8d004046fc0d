"""Stands between the suite and a good plugin, and lets a mutation see what passes.

Below it lie the mutants and the good plugin. Two threads move lines, and a lock lets a mutation see one at a time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from importlib import import_module

from behind import Behind, become, printed_by
from mutation import MUTANTS, TYPE_CHECKING, Any, Message, Mutation, Sent

if TYPE_CHECKING:
    from typing import NoReturn


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


def _line(message: object) -> bytes:
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, as it came
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _manifest(mutation: Mutation, command: list[str]) -> NoReturn:
    printed, code = printed_by([*command, "--manifest"])
    changed = mutation.manifest(json.loads(printed))
    sys.stdout.buffer.write(changed if isinstance(changed, bytes) else _line(changed))
    sys.stdout.buffer.flush()
    sys.exit(mutation.manifest_exit(code))


def main() -> NoReturn:
    """The command line."""
    name, module, dashes, *command = sys.argv[1:]
    assert dashes == "--"
    import_module(f"mutants.{module}")
    mutation = MUTANTS[name].mutation()
    if command[-1:] == ["--manifest"]:
        _manifest(mutation, command[:-1])
    if sys.stdin.isatty():
        code = mutation.on_terminal()
        if code is None:
            become(command)
        sys.exit(code)
    Proxy(mutation, command).run()
