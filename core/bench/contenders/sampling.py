"""Two ways to see where the time of this process goes: samples of its stack, or every call counted.

Used by `profile_call.py` for the host and by `profiled_child.py` for the child. Samples cost next to nothing and so
show the true proportions, C functions as part of the line that calls them; cProfile counts calls, and makes what is
called often look dearer than it is.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Final, Protocol

__all__ = ["TOOLS", "Calls", "Profiler", "Samples"]

_INTERVAL_S: Final = 0.001
_ROWS: Final = 30
_FOLDERS: Final = 2

_Line = tuple[CodeType, int]


class Profiler(Protocol):
    """Watches this process between `begin` and `end`."""

    def begin(self) -> None:
        """Watch from now on."""
        ...

    def end(self) -> str:
        """Watch no more; what was seen, as a table."""
        ...


class Samples:
    """Interrupts the process each millisecond of CPU time (the kernel may round that up) and notes the stack."""

    def __init__(self) -> None:
        self._functions: Counter[CodeType] = Counter()
        self._below: Counter[CodeType] = Counter()
        self._lines: Counter[_Line] = Counter()
        self._wakeup_fd = -1

    def begin(self) -> None:
        """Set the timer."""
        self._wakeup_fd = signal.set_wakeup_fd(-1)  # else each sample would wake the event loop
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)

    def end(self) -> str:
        """Functions and lines, each with its share of all samples."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wakeup_fd)
        total = max(1, self._functions.total())
        text = [f"{total} samples", "  self  with callees  function"]
        for code, count in self._functions.most_common(_ROWS):
            text.append(f"{count / total:6.1%}  {self._below[code] / total:12.1%}  {_place(code)}")
        text.append("  self  line")
        for (code, line), count in self._lines.most_common(_ROWS):
            text.append(f"{count / total:6.1%}  {_place(code)} line {line}")
        return "\n".join(text)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self._functions[frame.f_code] += 1
        self._lines[frame.f_code, frame.f_lineno] += 1
        stack = set()
        walked: FrameType | None = frame
        while walked is not None:
            stack.add(walked.f_code)
            walked = walked.f_back
        self._below.update(stack)


class Calls:
    """cProfile, sorted by the time that a function takes itself."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def begin(self) -> None:
        """Count from now on."""
        self._profile.enable()

    def end(self) -> str:
        """The table of `pstats`."""
        self._profile.disable()
        text = io.StringIO()
        pstats.Stats(self._profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(_ROWS)
        return text.getvalue().strip()


TOOLS: Final[dict[str, type[Samples] | type[Calls]]] = {"sample": Samples, "cprofile": Calls}


def _place(code: CodeType) -> str:
    path = Path(code.co_filename)
    return f"{code.co_qualname} ({'/'.join(path.parts[-_FOLDERS:])}:{code.co_firstlineno})"
