"""The core's processes, composed: the only room that may import every other one.

`daemon.py`, `runner.py` and `agent_runner.py` are the three `main()`s; `spawn.py` starts them. Who imports this room is
one of these processes: the garbage collector rests until its `main()` calls `imported`. What imports make stays, so
searching it for garbage is lost work: 51 of the 1412 million instructions of importing the daemon (callgrind).
"""

from __future__ import annotations

import gc

__all__ = ["imported"]

gc.disable()


def imported() -> None:
    """Everything is imported: collect garbage from now on, and never look through what the imports made."""
    gc.freeze()
    gc.enable()
