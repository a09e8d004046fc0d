"""The universal envelope of work: every way to start a workflow builds one SubjectDispatch.

Below lies `base`.
"""

from __future__ import annotations

from pydantic import AliasChoices, Field

from animus_protocol.models.base import Json, SparseList, SparseMap, Timestamp, WireModel

__all__ = ["SubjectDispatch", "SubjectRef"]


class SubjectRef(WireModel):
    """Which subject; identity only, nothing about how to work on it."""

    kind: str
    id: str
    title: str | None = None
    description: str | None = None
    labels: SparseList[str] = Field(default_factory=list)
    metadata: Json = None


class SubjectDispatch(WireModel):
    """A request to run `workflow_ref` on `subject`; older peers spell that field `pipeline_id`."""

    subject: SubjectRef
    workflow_ref: str = Field(validation_alias=AliasChoices("workflow_ref", "pipeline_id"))
    trigger_source: str
    requested_at: Timestamp
    priority: str | None = None
    vars: SparseMap[str] = Field(default_factory=dict)
    input: Json = None
