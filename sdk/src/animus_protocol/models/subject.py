"""The subject protocol: work items of a subject backend and the methods that serve them (protocol §4).

Below lie `base` and `common`. The rows are named `subject/<verb>`; `LIST.named("task/list")` makes the row of one kind.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, cast

from pydantic import AliasChoices, BeforeValidator, Field

from animus_protocol.models.base import (
    Empty,
    Json,
    KeepsNull,
    Method,
    OrDefault,
    SparseList,
    SparseMap,
    Timestamp,
    WireModel,
)
from animus_protocol.models.common import Acknowledged, RequestId, Uint8, Uint32, Watching
from animus_protocol.models.subject_status import SubjectStatus

__all__ = [
    "SUBJECT_CHANGED",
    "SUBJECT_CREATE",
    "SUBJECT_DELETE",
    "SUBJECT_GET",
    "SUBJECT_LIST",
    "SUBJECT_NEXT",
    "SUBJECT_SCHEMA",
    "SUBJECT_STATUS",
    "SUBJECT_UNWATCH",
    "SUBJECT_UPDATE",
    "SUBJECT_WATCH",
    "ChangeKind",
    "CustomFieldKind",
    "CustomFieldSpec",
    "DeleteSubjectRequest",
    "DeleteSubjectResponse",
    "NextSubject",
    "StatusDispatchHint",
    "Subject",
    "SubjectAttachment",
    "SubjectChangedEvent",
    "SubjectChangedParams",
    "SubjectCreateParams",
    "SubjectFilter",
    "SubjectGetParams",
    "SubjectId",
    "SubjectList",
    "SubjectNextParams",
    "SubjectPatch",
    "SubjectResult",
    "SubjectSchema",
    "SubjectStatus",
    "SubjectStatusParams",
    "SubjectUnwatchRequest",
    "SubjectUpdateParams",
]

SubjectId = str
"""A backend's own id of a subject, opaque to everybody else (`linear:ENG-123`)."""


class ChangeKind(StrEnum):
    """What happened to a watched subject."""

    CREATED = "created"
    UPDATED = "updated"
    STATUS_CHANGED = "status-changed"
    DELETED = "deleted"
    DISPATCH_LABEL_CHANGED = "dispatch-label-changed"
    ATTACHMENT_ADDED = "attachment-added"
    ATTACHMENT_REMOVED = "attachment-removed"


class CustomFieldKind(StrEnum):
    """The type of a backend's own field."""

    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    ENUM = "enum"
    DATE = "date"


class SubjectAttachment(WireModel):
    """Something that hangs on a subject; `kind` and `metadata` are the backend's."""

    id: str
    kind: str
    uri: str
    title: str | None = None
    mime_type: str | None = None
    metadata: Json = None


class Subject(WireModel):
    """A work item, normalized; `native_status`, `status_metadata` and `custom` are the backend's own words."""

    id: SubjectId
    kind: str
    title: str
    status: SubjectStatus
    created_at: Timestamp
    updated_at: Timestamp
    description: str | None = None
    native_status: str | None = None
    status_metadata: Json = None
    priority: Uint8 | None = None
    assignee: str | None = None
    labels: SparseList[str] = Field(default_factory=list)
    parent: SubjectId | None = None
    children: SparseList[SubjectId] = Field(default_factory=list)
    attachments: SparseList[SubjectAttachment] = Field(default_factory=list)
    url: str | None = None
    custom: SparseMap[Json] = Field(default_factory=dict)


def _unwrapped(value: Any) -> Any:
    """`{subject: …}` as the specification has it, or the flat subject that running plugins send."""
    # A flat subject always has an `id`: a member `subject` of its own does not make it a wrapper.
    if isinstance(value, dict) and "subject" in value and "id" not in value:
        return value["subject"]
    return value


SubjectResult = Annotated[Subject, BeforeValidator(_unwrapped)]
"""A Subject read from its flat form or from `{subject: …}`; written flat (protocol §4)."""

NextSubject = Annotated[Subject | None, BeforeValidator(_unwrapped)]
"""The answer to `subject/next`: as `SubjectResult`, or null when nothing is ready."""


class SubjectFilter(WireModel):
    """Which subjects to list; the fields are the params themselves, never wrapped in `filter` (protocol §4)."""

    kind: SparseList[str] = Field(default_factory=list)
    status: SparseList[SubjectStatus] = Field(default_factory=list)
    native_status: str | None = None
    dispatch_label: str | None = None
    has_attachment_kind: str | None = None
    assignee: SparseList[str] = Field(default_factory=list)
    labels_any: SparseList[str] = Field(default_factory=list)
    labels_all: SparseList[str] = Field(default_factory=list)
    updated_since: Timestamp | None = None
    cursor: str | None = None
    limit: Uint32 | None = None


class SubjectList(WireModel):
    """A page of subjects."""

    subjects: list[Subject]
    fetched_at: Timestamp
    next_cursor: str | None = None


class SubjectPatch(KeepsNull):
    """What to change: an omitted field stays, `assignee` set to None clears the assignee (protocol §4)."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"assignee"})

    status: SubjectStatus | None = None
    assignee: str | None = None
    labels_add: SparseList[str] = Field(default_factory=list)
    labels_remove: SparseList[str] = Field(default_factory=list)
    comment: str | None = None
    custom: SparseMap[Json] = Field(default_factory=dict)


class SubjectGetParams(WireModel):
    """Params of `subject/get`."""

    id: SubjectId


class SubjectCreateParams(WireModel):
    """Params of `subject/create` (protocol §5)."""

    kind: str
    title: str
    body: str | None = None
    status: SubjectStatus | None = None
    priority: Uint8 | None = None
    labels: SparseList[str] = Field(default_factory=list)
    assignee: str | None = None
    custom: SparseMap[Json] = Field(default_factory=dict)


class SubjectUpdateParams(WireModel):
    """Params of `subject/update`."""

    id: SubjectId
    patch: SubjectPatch


class SubjectStatusParams(WireModel):
    """Params of `subject/status`."""

    id: SubjectId
    status: SubjectStatus


class SubjectNextParams(WireModel):
    """Params of `subject/next`."""

    kind: str | None = None


class DeleteSubjectRequest(WireModel):
    """Params of `subject/delete`."""

    id: SubjectId


class DeleteSubjectResponse(WireModel):
    """Result of `subject/delete`."""

    ok: bool


class SubjectUnwatchRequest(WireModel):
    """Params of `subject/unwatch`."""

    watch_id: str


class SubjectChangedEvent(WireModel):
    """One change; `id` is the subject's."""

    id: SubjectId
    change_kind: ChangeKind
    subject: Subject
    previous_native_status: str | None = None
    previous_dispatch_label: str | None = None


class SubjectChangedParams(WireModel):
    """Params of a plugin's `subject/changed`: the fields of the event beside an `id`.

    Running plugins put the id of the watch request there, others the subject's; only `subject.id` is sure
    (protocol §4).
    """

    id: RequestId
    change_kind: ChangeKind
    subject: Subject
    previous_native_status: str | None = None
    previous_dispatch_label: str | None = None

    def event(self) -> SubjectChangedEvent:
        """The event itself, with the subject's id."""
        return SubjectChangedEvent(
            id=self.subject.id,
            change_kind=self.change_kind,
            subject=self.subject,
            previous_native_status=self.previous_native_status,
            previous_dispatch_label=self.previous_dispatch_label,
        )

    @staticmethod
    def of(request_id: RequestId, event: SubjectChangedEvent) -> SubjectChangedParams:
        """What a plugin sends on the stream that `request_id` opened."""
        return SubjectChangedParams(
            id=request_id,
            change_kind=event.change_kind,
            subject=event.subject,
            previous_native_status=event.previous_native_status,
            previous_dispatch_label=event.previous_dispatch_label,
        )


class StatusDispatchHint(WireModel):
    """Which normalized status, and which dispatch label, a native status stands for; older plugins say `status`."""

    native_status: str
    maps_to: SubjectStatus = Field(validation_alias=AliasChoices("maps_to", "status"))
    dispatch_label: str | None = None
    description: str | None = None


def _known_kind_or_string(value: Any) -> Any:
    return CustomFieldKind.STRING if isinstance(value, str) and value not in set(CustomFieldKind) else value


def _bare_name_is_a_string_field(value: Any) -> Any:
    return {"key": value, "type": CustomFieldKind.STRING} if isinstance(value, str) else value


class CustomFieldSpec(WireModel):
    """A backend's own field; `values` for the kind `enum`. A kind nobody knows reads as `string`."""

    key: str
    type: Annotated[CustomFieldKind, BeforeValidator(_known_kind_or_string)]
    values: list[str] | None = None


class SubjectSchema(WireModel):
    """What a backend serves; read tolerantly, since older plugins spell parts of it otherwise (protocol §4)."""

    kinds: list[str]
    status_values: list[SubjectStatus]
    native_status_values: SparseList[str] = Field(default_factory=list)
    status_dispatch_hints: SparseList[StatusDispatchHint] = Field(default_factory=list)
    custom_fields: SparseList[Annotated[CustomFieldSpec, BeforeValidator(_bare_name_is_a_string_field)]] = Field(
        default_factory=list
    )
    supports_watch: bool
    supports_create: bool
    supports_delete: OrDefault[bool] = False
    supports_pagination: bool


# A union is no class to the type checker, though pydantic reads one like any other type.
_NEXT = cast("type[Subject | None]", NextSubject)

SUBJECT_LIST = Method("subject/list", SubjectFilter, SubjectList, "protocol §4")
SUBJECT_GET = Method("subject/get", SubjectGetParams, SubjectResult, "protocol §4")
SUBJECT_CREATE = Method("subject/create", SubjectCreateParams, SubjectResult, "protocol §4")
SUBJECT_UPDATE = Method("subject/update", SubjectUpdateParams, SubjectResult, "protocol §4")
SUBJECT_STATUS = Method("subject/status", SubjectStatusParams, SubjectResult, "protocol §4")
SUBJECT_NEXT = Method("subject/next", SubjectNextParams, _NEXT, "protocol §4")
SUBJECT_DELETE = Method("subject/delete", DeleteSubjectRequest, DeleteSubjectResponse, "protocol §4")
SUBJECT_WATCH = Method("subject/watch", SubjectFilter, Watching, "protocol §4")
SUBJECT_UNWATCH = Method("subject/unwatch", SubjectUnwatchRequest, Acknowledged, "protocol §4")
SUBJECT_SCHEMA = Method("subject/schema", Empty, SubjectSchema, "protocol §4")
SUBJECT_CHANGED: Method[SubjectChangedParams, None] = Method(
    "subject/changed", SubjectChangedParams, None, "protocol §4"
)
