"""`subject/*` on the control socket: the subject protocol through the daemon's router (protocol §5).

Below lie the models of the subject protocol.
"""

from __future__ import annotations

from pydantic import Field

from animus_protocol.models.base import Method, SparseList, WireModel
from animus_protocol.models.common import StreamItem, Watching
from animus_protocol.models.subject import (
    Subject,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectFilter,
    SubjectGetParams,
    SubjectList,
    SubjectNextParams,
    SubjectResult,
    SubjectStatusParams,
    SubjectUpdateParams,
)

__all__ = [
    "SUBJECT_CHANGED",
    "SUBJECT_CREATE",
    "SUBJECT_GET",
    "SUBJECT_LIST",
    "SUBJECT_NEXT",
    "SUBJECT_STATUS",
    "SUBJECT_UPDATE",
    "SUBJECT_WATCH",
    "SubjectListParams",
    "SubjectListResult",
    "SubjectNextResult",
    "SubjectWatchParams",
]


class SubjectListParams(WireModel):
    """Params of `subject/list`; here the filter is wrapped, unlike on a plugin's wire."""

    filter: SubjectFilter | None = None


class SubjectListResult(SubjectList):
    """Result of `subject/list`; `warnings`, this project's addition: whose subjects are missing from it, and why."""

    warnings: SparseList[str] = Field(default_factory=list)


class SubjectNextResult(WireModel):
    """Result of `subject/next`; no subject when nothing is ready."""

    subject: Subject | None = None


class SubjectWatchParams(WireModel):
    """Params of `subject/watch`."""

    kind: str | None = None
    filter: SubjectFilter | None = None


SUBJECT_LIST = Method("subject/list", SubjectListParams, SubjectListResult, "protocol §5")
SUBJECT_GET = Method("subject/get", SubjectGetParams, SubjectResult, "protocol §5")
SUBJECT_STATUS = Method("subject/status", SubjectStatusParams, SubjectResult, "protocol §5")
SUBJECT_UPDATE = Method("subject/update", SubjectUpdateParams, SubjectResult, "protocol §5")
SUBJECT_CREATE = Method("subject/create", SubjectCreateParams, SubjectResult, "protocol §5")
SUBJECT_NEXT = Method("subject/next", SubjectNextParams, SubjectNextResult, "protocol §5")
SUBJECT_WATCH = Method("subject/watch", SubjectWatchParams, Watching, "protocol §5")
SUBJECT_CHANGED: Method[StreamItem[SubjectChangedEvent], None] = Method(
    "subject/changed", StreamItem[SubjectChangedEvent], None, "protocol §5"
)
