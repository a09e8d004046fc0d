"""Where `animus plugin dev` reads lines and writes others: a terminal with line editing, or plain streams.

Below lies readline. Lines are read on a daemon thread, because a read that waits for a key cannot be called off: the
process may end while it still waits.
"""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from typing import Final

from rich.cells import cell_len

__all__ = ["Completer", "Plain", "Terminal"]

_READ_BYTES: Final = 64 * 1024
_LONGEST_LINE_BYTES: Final = 1024 * 1024  # input without a line end must not fill the memory
_NO_COLOR: Final = "NO_COLOR"

Completer = Callable[[str], list[str]]
"""The words that can follow what stands on a line."""


class _Lines:
    """Lines that `read` returns, one at a time and each when it is asked for; None is the end."""

    def __init__(self, read: Callable[[], str | None]) -> None:
        self._read = read
        self._requests: queue.SimpleQueue[asyncio.Future[str | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="input", daemon=True)

    async def next(self) -> str | None:
        if not self._thread.ident:
            self._thread.start()
        line: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._requests.put(line)
        return await line

    def _work(self) -> None:
        while True:
            request = self._requests.get()
            try:
                line = self._read()
            # A byte that is not UTF-8 is a bad line, which is refused, and not the end of the input.
            except UnicodeDecodeError:
                line = "\ufffd"
            except OSError:
                line = None
            try:
                request.get_loop().call_soon_threadsafe(_resolve, request, line)
            except RuntimeError:  # the loop is closed: nobody wants lines any more
                return


def _resolve(request: asyncio.Future[str | None], line: str | None) -> None:
    if not request.done():
        request.set_result(line)


class Plain:
    """Standard input and output as they are: no prompt, nothing cut."""

    scripted: Final = True
    width: Final = None
    colored: Final = False

    def __init__(self) -> None:
        self._rest = bytearray()
        self._ended = sys.stdin is None  # it was closed before this began: descriptor 0 is somebody else's
        self._lines = _Lines(self._read)

    async def next_line(self, complete: Completer) -> str | None:
        """The next line of standard input (of 1 MiB at most, else a piece of one), None at its end."""
        return await self._lines.next()

    def write(self, text: str) -> None:
        """Show `text` as lines of its own."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """There is nothing to put back."""

    def _read(self) -> str | None:
        while b"\n" not in self._rest and len(self._rest) < _LONGEST_LINE_BYTES and not self._ended:
            # Not sys.stdin: its lock would still be held by this thread when the interpreter ends.
            chunk = os.read(0, _READ_BYTES)
            self._rest += chunk
            self._ended = not chunk
        if not self._rest:
            return None
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest = bytearray(rest)
        return line.decode(errors="replace")


class Terminal:
    """A terminal with a prompt below what is written: history by the arrow keys, completion by TAB."""

    scripted: Final = False

    def __init__(self, prompt: str) -> None:
        import readline
        import termios

        self._complete: Completer = lambda _line: []
        self._prompt = prompt
        self._asking = False
        self._lines = _Lines(self._read)
        self._readline, self._termios = readline, termios
        self._modes = termios.tcgetattr(0)
        # Only blanks: by default `/` and `=` cut words, and methods and pairs have them.
        readline.set_completer_delims(" ")
        readline.set_completer(self._completion)
        readline.set_pre_input_hook(self._on_prompt)
        # macOS builds Python with libedit, which reads another syntax of bindings.
        is_libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")

    @property
    def width(self) -> int:
        """The columns of the window as it is now."""
        return shutil.get_terminal_size().columns

    @property
    def colored(self) -> bool:
        """Whether colours are shown: not with NO_COLOR, and not on a terminal that has none."""
        return not os.environ.get(_NO_COLOR) and os.environ.get("TERM") != "dumb"

    async def next_line(self, complete: Completer) -> str | None:
        """The next line that is typed, None for Ctrl-D. TAB offers what `complete` says."""
        self._complete = complete
        return await self._lines.next()

    def write(self, text: str) -> None:
        """Show `text` above the prompt and what is typed there."""
        if not self._asking:
            sys.stdout.write(text + "\n")
        else:
            typed = self._prompt + self._readline.get_line_buffer()
            # What is typed may fill several rows: all of them are cleared, and written again below the text.
            rows = cell_len(typed) // self.width
            sys.stdout.write("\r" + "\x1b[A" * rows + "\x1b[J" + text + "\n" + typed)
        sys.stdout.flush()

    def close(self) -> None:
        """Put the terminal back as it was found, also while somebody is asked. Safe to call again."""
        self._termios.tcsetattr(0, self._termios.TCSADRAIN, self._modes)
        if self._asking:
            self._asking = False
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _read(self) -> str | None:
        try:
            return input(self._prompt)
        except EOFError:
            sys.stdout.write("\n")
            return None
        finally:
            self._asking = False

    def _on_prompt(self) -> None:
        self._asking = True

    def _completion(self, word: str, number: int) -> str | None:
        before = self._readline.get_line_buffer()[: self._readline.get_begidx()]
        fits = [candidate for candidate in self._complete(before) if candidate.startswith(word)]
        return fits[number] if number < len(fits) else None
