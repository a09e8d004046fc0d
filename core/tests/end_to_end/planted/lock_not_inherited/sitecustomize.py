"""A planted fault: runners do not keep the lock that they are handed. Loaded by every core process of one test."""

import os
from pathlib import Path
from typing import Any

from animus_core.store import locks

_from_inherited = locks.from_inherited


class _Dropped(locks.HeldLock):
    def describe(self, **_: Any) -> None:
        """Nothing is held, so there is nothing to describe."""

    @property
    def fd(self) -> int:
        return 0


def _drop(fd: int, path: Path) -> locks.HeldLock:
    if path.parent.parent.name != "runs":
        return _from_inherited(fd, path)
    os.close(fd)
    return _Dropped(-1, path)


locks.from_inherited = _drop
