"""The workflow-runner's `main()`: one a run, started by the daemon with the run's lock.

Run as `python -m animus_core.app.runner`; below it lie `runner/` and the journal. It dials in to the daemon and goes on
without one; the journal is the truth either way. What it could not write there it says by its exit code
(`journal/runner_exit.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from animus_core.app import imported
from animus_core.app.daemon_link import DaemonLink, JournalProgress
from animus_core.app.logs import log_to_stderr
from animus_core.app.spawn import link_agent_runner
from animus_core.errors import AnimusError
from animus_core.journal import kinds
from animus_core.journal.runner_exit import RunnerExit
from animus_core.journal.writer import JournalWriter
from animus_core.runner.agent_phase import AgentEffect, RecordSink
from animus_core.runner.command_phase import CommandEffect
from animus_core.runner.execute import Execution, fold
from animus_core.runner.exits import exit_of
from animus_core.runner.files import read_run_files
from animus_core.store.locks import from_inherited
from animus_core.store.paths import Scope
from animus_core.store.process_identity import own_identity
from animus_core.version import VERSION
from animus_protocol.crash_points import set_role
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.models import agent_session
from animus_protocol.models import runner as wire
from animus_protocol.peer import Peer

__all__ = ["main"]

_log = logging.getLogger("animus.runner")


def main() -> None:
    """Parse the arguments, take over the lock, execute."""
    imported()
    parser = argparse.ArgumentParser(prog="animus workflow-runner")
    parser.add_argument("--project-root", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--order", choices=[order.value for order in kinds.Order])
    parser.add_argument("--feedback")
    parser.add_argument("--lock-fd", type=int, required=True)
    args = parser.parse_args()
    set_role("runner")
    log_to_stderr(args.run)
    order = kinds.OperatorOrder(order=kinds.Order(args.order), feedback=args.feedback) if args.order else None
    try:
        asyncio.run(_execute(args.project_root, args.run, args.epoch, args.lock_fd, order))
    except AnimusError as error:
        _log.error("%s", error)
        _leave(exit_of(error))


def _leave(code: RunnerExit) -> NoReturn:
    """Exit with `code`, also where the log has no room: an orderly exit would end with 120 when the flush fails."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


async def _execute(root: Path, run_id: str, epoch: int, lock_fd: int, order: kinds.OperatorOrder | None) -> None:
    scope = Scope.of(root, os.environ)
    paths = scope.run_dir(run_id)
    # First of all: without the run's lock another runner may be writing this journal.
    held = from_inherited(lock_fd, paths.lock)
    held.describe(epoch=epoch)
    dispatch, plan = read_run_files(paths)
    # Opened before it is folded: that proves the ownership, and cuts an incomplete last line off.
    journal = JournalWriter.open(paths.journal, run_id, epoch, held=held)
    state = fold(paths.journal)
    me = own_identity()
    progress = JournalProgress(journal.position.offset_end)
    hello = wire.RunnerHello(
        run=run_id,
        epoch=epoch,
        pid=me.pid,
        starttime=me.starttime,
        boot_id=me.boot_id,
        version=VERSION,
        offset=progress.offset,
    )

    async def link(sink: RecordSink) -> Peer:
        table = Dispatcher()
        table.on_notification(agent_session.SESSION_RECORD, lambda record, _: sink(record))
        return await link_agent_runner(scope, table)

    agent = AgentEffect(plan, dispatch, run_id, epoch, root, link)
    command = CommandEffect(plan, dispatch, run_id, root, paths)
    execution = Execution(plan, journal, {"agent": agent, "command": command}, progress.advance)
    started = kinds.RunnerStarted(pid=me.pid, starttime=me.starttime, boot_id=me.boot_id, version=VERSION)
    task = asyncio.ensure_future(execution.run(state, started, order))
    # Stopped is not cancelled: nothing is recorded, and the next runner goes on from the journal.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    daemon = DaemonLink(scope.control_socket, hello, progress, on_cancel=execution.cancel, on_stop=task.cancel)
    try:
        async with daemon:
            status = await task
            _log.info("%s", status)
    except asyncio.CancelledError:
        _log.info("stopped in the middle; the next runner goes on from the journal")
    finally:
        journal.close()


if __name__ == "__main__":
    main()
