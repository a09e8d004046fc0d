"""Waits for the end of a process that is not our child: the holder of a lock.

That is how runners are monitored which outlived an earlier daemon. The lock decides; the pidfd, where the kernel has
one, only says when to ask for the lock again. Below lies the lock.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from animus_core.store.locks import is_held, read_holder
from animus_core.store.process_identity import open_pidfd

__all__ = ["wait_for_holder"]

_POLL_S: Final = 0.5
"""Only for a lock whose holder gives no pidfd, or whose child holds it too: no event says when that one ends."""


async def wait_for_holder(lock: Path) -> None:
    """Return when nobody holds `lock` any more; at once when nobody does."""
    while is_held(lock):
        holder = read_holder(lock)
        fd = None if holder is None else open_pidfd(holder.identity)
        if fd is None:
            await asyncio.sleep(_POLL_S)  # no handle on the holder: the kernel offers nothing to wait for
            continue
        try:
            await _readable(fd)
        finally:
            os.close(fd)
        if is_held(lock):
            await asyncio.sleep(_POLL_S)  # a child of the holder inherited the lock: ask again, but not at once


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(fd, resolve)
    try:
        await ended
    finally:
        loop.remove_reader(fd)
