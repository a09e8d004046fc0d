"""What a child prints: always read, its last lines kept, and for its stderr logged under the child's name.

Bounded whatever the child does: at most 200 lines are kept, and 2,000 characters of each. At most 200 lines a second
are logged; of the others the log says how many were left out. Values that are secret are replaced before anybody sees
them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterable
from typing import Final

__all__ = ["REDACTED", "OutputTail", "log_fields", "redact"]

_log = logging.getLogger("animus.stderr")
REDACTED: Final = "***"
_TAIL_LINES: Final = 200
_LINE_CHARACTERS: Final = 2000
_LOGGED_A_SECOND: Final = 200  # a plugin that logs in a circle must not fill the disk with our log
_READ_BYTES: Final = 64 * 1024  # what a Linux pipe holds (pipe(7))
_LAST_READS: Final = 16  # a descendant may fill the pipe as fast as it is read


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def log_fields(source: str, text: str) -> dict[str, str]:
    """For `extra` of a log record: whose line it is, and the line alone for whoever shows one plugin only."""
    return {"source": source, "text": text}


class OutputTail:
    """Reads `fd` until its end or `close`, and owns it. `logged`: each line goes to the log, too."""

    def __init__(self, fd: int, name: str, secrets: Iterable[str] = (), *, logged: bool = True) -> None:
        self._fd = fd
        self._name = name
        self._logged = logged
        self._secrets = tuple(sorted(secrets, key=len, reverse=True))  # one may be part of another
        # So long that a secret across the place where a line is cut is seen whole before it is cut.
        self._most_bytes = _LINE_CHARACTERS + max((len(secret.encode()) for secret in self._secrets), default=0)
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._partial = b""
        self._cut = False
        self._window_began = 0.0
        self._window_lines = 0
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._readable)

    @property
    def text(self) -> str:
        """The last lines (at most 200, each of at most 2,000 characters)."""
        partial = [self._readable_text(self._partial)] if self._partial else []
        return "\n".join([*self._lines, *partial])

    def read_rest(self) -> None:
        """Take what is there now: for a child that has exited while somebody else holds the pipe."""
        for _ in range(_LAST_READS):
            if self.ended.done() or not self._read_once():
                return

    def close(self) -> None:
        """Stop reading and close the descriptor. Safe to call again."""
        if not self.ended.done():
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._flush()
            self.ended.set_result(None)

    def _readable(self) -> None:
        self._read_once()

    def _read_once(self) -> bool:
        """Read one chunk; whether there may be more at once."""
        try:
            chunk = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return False
        self._take(chunk)
        return True

    def _take(self, chunk: bytes) -> None:
        *lines, rest = chunk.split(b"\n")
        if len(lines) > _TAIL_LINES + 1:  # a flood: what would fall out of the tail at once is only counted
            self._window_lines += len(lines) - _TAIL_LINES - 1
            lines[1:-_TAIL_LINES] = []
        for line in lines:
            whole, self._partial = self._partial + line, b""
            if not self._cut:
                self._line(whole)
            self._cut = False
        if self._cut:
            return
        self._partial += rest
        if len(self._partial) > self._most_bytes:  # a line without an end: its beginning is enough
            self._line(self._partial)
            self._partial, self._cut = b"", True

    def _flush(self) -> None:
        if self._partial:
            self._line(self._partial)
            self._partial = b""
        self._end_window()

    def _line(self, line: bytes) -> None:
        text = self._readable_text(line)
        self._lines.append(text)
        if not self._logged:
            return
        now = self._loop.time()
        if now - self._window_began >= 1.0:
            self._end_window()
            self._window_began = now
        self._window_lines += 1
        if self._window_lines <= _LOGGED_A_SECOND:
            _log.info("%s: %s", self._name, text, extra=log_fields(self._name, text))

    def _end_window(self) -> None:
        left_out = self._window_lines - _LOGGED_A_SECOND
        if left_out > 0 and self._logged:
            text = f"{left_out} lines of its stderr were left out of the log"
            _log.warning("%s: %s", self._name, text, extra=log_fields(self._name, text))
        self._window_lines = 0

    def _readable_text(self, line: bytes) -> str:
        return redact(line[: self._most_bytes].decode(errors="replace").rstrip(), self._secrets)[:_LINE_CHARACTERS]
