"""Reports on standard error which of the author's methods blocks the event loop.

A thread asks the loop for a sign of life every quarter of a second, so a call pays nothing for it. While none comes, it
looks on the loop's stack for the author's function. Nothing lies below.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from animus_sdk.must_await import author_of

__all__ = ["Spent", "blocked_s", "watch_loop"]

_log = logging.getLogger("animus.plugin")

_TICK_S: Final = 0.25
# A handler on the loop takes milliseconds. A busy machine can delay any code for less than a second, so less is not
# reported; after one second a person who waits for another answer has noticed, and no host has reached a deadline yet.
_LONG_S: Final = 1.0
# A function that has run for so long may never return, so it is reported while it still runs.
_ENDLESS_S: Final = 5.0
_LATE_S: Final = 0.1
_OURS: Final = frozenset({"animus_sdk", "animus_protocol", "asyncio"})


class Spent(NamedTuple):
    """What became of a stretch of time, in seconds: how long it was, and how long the loop's thread ran or queued."""

    elapsed_s: float
    running_s: float
    queued_s: float


def blocked_s(spent: Spent) -> float:
    """How much of `spent` the running code has to answer for.

    Waiting for a processor is the machine's fault. And if the watching thread itself came late, then the whole
    process stood still (SIGSTOP, a debugger, a frozen container) or one thread held the interpreter: only the time in
    which the loop's thread really computed is then known to be its own.
    """
    if spent.elapsed_s > _TICK_S + _LATE_S:
        return min(spent.running_s, spent.elapsed_s)
    return max(0.0, spent.elapsed_s - spent.queued_s)


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Watch `loop`, which runs on this thread, until it is closed; the watching thread keeps no process alive."""
    # asyncio's debug mode would slow every call down, and a timer on the loop would know how long but not who (ADR
    # 0010).
    threading.Thread(target=_Watch(loop).run, name="loop-watch", daemon=True).start()


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.current_thread()
        self._sign = threading.Event()
        self._pause = threading.Event()
        self._named: set[str] = set()

    def run(self) -> None:
        clock = _Clock(self._thread)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            while True:
                clock.spent()  # from here on
                self._sign.clear()
                self._loop.call_soon_threadsafe(self._sign.set)
                if not self._sign.wait(_TICK_S):
                    self._follow(clock)
                self._pause.wait(_TICK_S)

    def _follow(self, clock: _Clock) -> None:
        """Stay with whatever runs now until the loop gives its sign."""
        frame, long_s = self._authors_frame(), blocked_s(clock.spent())
        answered = False
        while not answered:
            answered = self._sign.wait(_TICK_S)
            long_s += blocked_s(clock.spent())
            if not answered and (now := self._authors_frame()) is not frame:
                self._tell(frame, long_s, over=True)
                frame, long_s = now, 0.0  # several short ones in a row are nobody's fault
            elif answered or long_s >= _ENDLESS_S:
                self._tell(frame, long_s, over=answered)

    def _authors_frame(self) -> FrameType | None:
        """The author's function that the loop has called, where one is running."""
        frame, found = sys._current_frames().get(self._thread.ident or 0), None
        while frame is not None and frame.f_code is not asyncio.Handle._run.__code__:
            if str(frame.f_globals.get("__name__")).partition(".")[0] not in _OURS:
                found = frame
            frame = frame.f_back
        return None if frame is None else found

    def _tell(self, frame: FrameType | None, long_s: float, *, over: bool) -> None:
        if frame is None or long_s < _LONG_S or (author := author_of(frame.f_code)) in self._named:
            return
        self._named.add(author)
        _log.warning(
            "%s blocked the event loop for %.1f s%s, and nothing else was answered meanwhile: "
            "let a plain def without @inline do it, which runs on a thread, or await asyncio.to_thread(…)",
            author,
            long_s,
            "" if over else " and goes on",
        )


class _Clock:
    """How the time passes for one thread; where the system does not tell, it is never queued."""

    def __init__(self, thread: threading.Thread) -> None:
        self._file = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        self._last = self._read()

    def spent(self) -> Spent:
        """Since the time before."""
        before, self._last = self._last, self._read()
        return Spent(*(now - then for now, then in zip(self._last, before, strict=True)))

    def _read(self) -> Spent:
        try:
            running, queued, _ = self._file.read_text().split()
            return Spent(time.monotonic(), int(running) / 1e9, int(queued) / 1e9)
        except (OSError, ValueError):  # macOS, or a kernel without scheduler statistics
            return Spent(time.monotonic(), time.process_time(), 0.0)
