"""The daemon's admission: it begins and ends with the trust in the repository, and says so once each time."""

from __future__ import annotations

import json
import logging
from typing import cast

import pytest

from animus_core.daemon.admission import Admission
from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_core.supply.trust.trust import TrustCheck, grant
from animus_core.workflow.plan import Plan


async def test_each_change_is_logged_and_published_once_and_an_opening_is_told(
    scope: Scope, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    config_dir, workflows = scope.root.parent, scope.project_root / ".animus/workflows.yaml"
    workflows.parent.mkdir()
    workflows.write_text("workflows: []\n")
    reread_texts: list[str] = []

    async def reread() -> None:
        reread_texts.append(workflows.read_text())

    async def plan_for(entry: QueueEntry) -> Plan:
        return cast(Plan, entry)

    with caplog.at_level(logging.INFO, "animus.daemon"):
        commit_signal = CommitSignal()
        admission = Admission(TrustCheck(config_dir, scope.project_root), database, commit_signal, plan_for, reread)
        assert [await admission.admits(), await admission.admits()] == [False, False]
        assert (commit_signal.version, reread_texts) == (1, [])
        grant(config_dir, scope.project_root)
        assert [await admission.admits(), await admission.admits()] == [True, True]
        assert (commit_signal.version, reread_texts) == (2, ["workflows: []\n"])
        workflows.write_text("workflows: [ ]\n")
        assert not await admission.admits()
        assert await admission.plan_for(cast(QueueEntry, "entry")) == "entry"
        rows = await database.read(lambda tx: tx.all("event_after", event_id=0, limit=9))
    recorded = [(row["kind"], json.loads(row["data"])) for row in rows]
    assert [kind for kind, _ in recorded] == ["trust_needed", "trust_given", "trust_needed"]
    assert recorded[0][1]["changes"] == [{"path": "workflows.yaml", "what": "added"}]
    assert recorded[2][1]["changes"] == [{"path": "workflows.yaml", "what": "changed"}]
    assert recorded[0][1]["digest"] == recorded[1][1]["digest"] != recorded[2][1]["digest"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert "animus trust" in caplog.text
