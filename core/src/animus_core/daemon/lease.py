"""Makes a run of a queue entry: its files, its row, the entry as assigned; from then on somebody will execute it.

Below lie the run's folder and the database.
"""

from __future__ import annotations

from typing import Final

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.events import RunIdentity
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.errors import Conflict
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.json_files import write_json_atomic
from animus_core.store.paths import RunPaths
from animus_core.store.statements import Tx
from animus_core.workflow.plan import Plan
from animus_protocol.crash_points import declare, reach

__all__ = ["FIRST_EPOCH", "lease_run"]

FIRST_EPOCH: Final = 1

_LEASED: Final = declare("daemon.leased", "the run is committed, its runner is not started")


async def lease_run(
    database: Database, commit_signal: CommitSignal, paths: RunPaths, run_id: str, entry: QueueEntry, plan: Plan
) -> RunIdentity:
    """Commit the run `run_id` of `entry`, and publish it. Raises Conflict when the entry has moved on, RetryLater."""
    paths.create()
    # Before the commit: a run that is in the database has its files, whenever the daemon dies.
    write_json_atomic(paths.dispatch, entry.read_dispatch().model_dump(mode="json", exclude_none=True))
    write_json_atomic(paths.plan, plan.model_dump(mode="json"))

    def commit(tx: Tx) -> None:
        tx.execute(
            "run_insert",
            run_id=run_id,
            entry_id=entry.entry_id,
            subject_kind=entry.subject_kind,
            subject_id=entry.subject_id,
            workflow_ref=entry.workflow_ref,
            status="pending",
            epoch=FIRST_EPOCH,
            created_at=utc_now_text(),
        )
        if tx.execute("queue_assign", run_id=run_id, entry_id=entry.entry_id) != 1:
            raise Conflict(f"entry {entry.entry_id} is not waiting any more")

    await database.write(commit)
    commit_signal.publish()
    reach(_LEASED)
    return RunIdentity(run_id, entry.subject_kind, entry.subject_id)
