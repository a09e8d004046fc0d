"""Starts the runner of a run: takes the run's lock, hands it to the child, keeps no copy.

The order makes a daemon's death harmless at every step: the run and its epoch are committed before, so the next daemon
finds a run whose lock is held (somebody executes it) or free (nobody does). Below lie the lock and the program
that `app` starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.daemon.live_run import LiveRun, OwnRunner
from animus_core.errors import RetryLater
from animus_core.journal.kinds import OperatorOrder
from animus_core.store.locks import HeldLock, acquire_within
from animus_protocol.crash_points import declare, reach

__all__ = ["RunnerLaunch", "StartRunner", "launch_runner"]

_LOCK_S: Final = 10.0
"""Longer than a runner needs to leave when it is asked to: then the next runner rarely finds the lock still held."""

_LOCKED: Final = declare("daemon.locked", "the daemon holds the run's lock, no child does")
_SPAWNED: Final = declare("daemon.spawned", "the runner was started and the daemon has not noted it")


class RunnerLaunch(NamedTuple):
    """What a runner is started with."""

    run_id: str
    epoch: int
    log: Path
    order: OperatorOrder | None = None


StartRunner = Callable[[RunnerLaunch, HeldLock], Awaitable[asyncio.subprocess.Process]]
"""Starts a runner that inherits the lock; `app` provides it."""


async def launch_runner(run: LiveRun, start: StartRunner) -> OwnRunner:
    """Start the runner of the run's present epoch.

    Raises Conflict if another runner still holds the lock, RetryLater if no process can be started.
    """
    held = await asyncio.to_thread(acquire_within, run.paths.lock, _LOCK_S, epoch=run.epoch)
    try:
        reach(_LOCKED)
        run.disconnect(asyncio.get_running_loop().time())  # before the start: its hello may come at once
        process = await start(RunnerLaunch(run.run_id, run.epoch, run.paths.log, run.order), held)
        reach(_SPAWNED)
    except OSError as error:
        reason = f"run {run.run_id}: its runner cannot be started: {error}"
        raise RetryLater(
            reason, hint="Look at the limits on processes and open files, and at the space on the disk."
        ) from error
    finally:
        held.close()
    return OwnRunner(process)
