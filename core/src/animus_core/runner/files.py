"""What a run is, on disk: the dispatch and the plan, written by the daemon before the first runner starts.

Both are immutable afterwards, so every runner of the run reads the same. Below lie their models.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from animus_core.runner.exits import RunFilesDamaged
from animus_core.store.paths import RunPaths
from animus_core.workflow.plan import Plan
from animus_protocol.models.dispatch import SubjectDispatch

__all__ = ["RunFiles", "read_run_files"]


class RunFiles(NamedTuple):
    """The two snapshots of a run."""

    dispatch: SubjectDispatch
    plan: Plan


def read_run_files(paths: RunPaths) -> RunFiles:
    """Read both. Raises RunFilesDamaged naming the file that is missing or damaged."""
    try:
        dispatch = SubjectDispatch.model_validate_json(paths.dispatch.read_bytes())
        plan = Plan.model_validate_json(paths.plan.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunFilesDamaged(f"{paths.root}: the run's plan or dispatch cannot be read: {error}") from error
    return RunFiles(dispatch, plan)
