"""What a run is, on disk: the dispatch and the plan, written once before its first runner starts.

Written by the daemon, read by the runner; both are immutable afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from animus_core.errors import Internal
from animus_core.store.paths import RunPaths
from animus_core.workflow.plan import Plan
from animus_protocol.models.dispatch import SubjectDispatch

__all__ = ["RunFiles", "read_run_files"]


class RunFiles(NamedTuple):
    """The two snapshots of a run."""

    dispatch: SubjectDispatch
    plan: Plan


def read_run_files(paths: RunPaths) -> RunFiles:
    """Read both. Raises Internal naming the file that is missing or damaged."""
    try:
        dispatch = SubjectDispatch.model_validate_json(paths.dispatch.read_bytes())
        plan = Plan.model_validate_json(paths.plan.read_bytes())
    except (OSError, ValidationError) as error:
        raise Internal(f"{paths.root}: the run's plan or dispatch cannot be read: {error}") from error
    return RunFiles(dispatch, plan)
