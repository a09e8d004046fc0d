"""All that plugin authors import: the role class of each kind, the types of its verbs, errors, and `serve`.

    from animus_sdk import Provider, serve

`animus_sdk.testing` (a host for tests), `animus_sdk.http` (a web server for transports) and `animus_sdk.crash_points`
(for plugins that prove that they lose nothing) are public, too, and nothing else is. Importing this stays cheap: a name
is imported when it is first used, and a wire model is built when it is.
"""

import sys
from typing import TYPE_CHECKING, Final

from animus_sdk.lazy_names import lazy_names

if TYPE_CHECKING:  # what editors and type checkers read; a test keeps it the same as the table
    from animus_protocol.errors import BadReply as BadReply
    from animus_protocol.errors import CallTimeout as CallTimeout
    from animus_protocol.errors import Cancelled as Cancelled
    from animus_protocol.errors import InvalidParams as InvalidParams
    from animus_protocol.errors import MethodNotFound as MethodNotFound
    from animus_protocol.errors import NotFound as NotFound
    from animus_protocol.errors import NotSupported as NotSupported
    from animus_protocol.errors import PluginError as PluginError
    from animus_protocol.errors import ProtocolError as ProtocolError
    from animus_protocol.errors import RpcError as RpcError
    from animus_protocol.errors import Unavailable as Unavailable
    from animus_protocol.models.base import Json as Json
    from animus_protocol.models.base import Method as Method
    from animus_protocol.models.base import OrDefault as OrDefault
    from animus_protocol.models.base import SparseList as SparseList
    from animus_protocol.models.base import SparseMap as SparseMap
    from animus_protocol.models.base import Timestamp as Timestamp
    from animus_protocol.models.base import WireModel as WireModel
    from animus_protocol.models.base import encode as encode
    from animus_protocol.models.base import utc_text as utc_text
    from animus_protocol.models.lifecycle import HealthCheckResult as HealthCheckResult
    from animus_protocol.models.lifecycle import HealthStatus as HealthStatus
    from animus_protocol.models.log_storage import LogEntry as LogEntry
    from animus_protocol.models.log_storage import LogLevel as LogLevel
    from animus_protocol.models.log_storage import LogQuery as LogQuery
    from animus_protocol.models.log_storage import LogQueryResult as LogQueryResult
    from animus_protocol.models.log_storage import LogSource as LogSource
    from animus_protocol.models.log_storage import LogStorageSchema as LogStorageSchema
    from animus_protocol.models.log_storage import SupportsFiltering as SupportsFiltering
    from animus_protocol.models.manifest import PluginManifest as PluginManifest
    from animus_protocol.models.notifier import DaemonEventRecord as DaemonEventRecord
    from animus_protocol.models.notifier import NotifierFlushResult as NotifierFlushResult
    from animus_protocol.models.notifier import NotifierLifecycleEvent as NotifierLifecycleEvent
    from animus_protocol.models.notifier import NotifierNotifyResult as NotifierNotifyResult
    from animus_protocol.models.notifier import NotifierSchema as NotifierSchema
    from animus_protocol.models.priority import PriorityName as PriorityName
    from animus_protocol.models.provider import AgentRunRequest as AgentRunRequest
    from animus_protocol.models.provider import AgentRunResponse as AgentRunResponse
    from animus_protocol.models.provider import TokenUsage as TokenUsage
    from animus_protocol.models.subject import ChangeKind as ChangeKind
    from animus_protocol.models.subject import CustomFieldKind as CustomFieldKind
    from animus_protocol.models.subject import CustomFieldSpec as CustomFieldSpec
    from animus_protocol.models.subject import StatusDispatchHint as StatusDispatchHint
    from animus_protocol.models.subject import Subject as Subject
    from animus_protocol.models.subject import SubjectAttachment as SubjectAttachment
    from animus_protocol.models.subject import SubjectChangedEvent as SubjectChangedEvent
    from animus_protocol.models.subject import SubjectCreateParams as SubjectCreateParams
    from animus_protocol.models.subject import SubjectFilter as SubjectFilter
    from animus_protocol.models.subject import SubjectList as SubjectList
    from animus_protocol.models.subject import SubjectPatch as SubjectPatch
    from animus_protocol.models.subject import SubjectSchema as SubjectSchema
    from animus_protocol.models.subject import SubjectStatus as SubjectStatus
    from animus_protocol.models.transport import TransportSchema as TransportSchema
    from animus_protocol.models.trigger import TriggerActionHint as TriggerActionHint
    from animus_protocol.models.trigger import TriggerEvent as TriggerEvent
    from animus_protocol.models.trigger import TriggerSchema as TriggerSchema
    from animus_protocol.models.verdict import Verdict as Verdict
    from animus_protocol.reading import first_issue as first_issue
    from animus_sdk.agent_context import AgentContext as AgentContext
    from animus_sdk.context import Context as Context
    from animus_sdk.control import Control as Control
    from animus_sdk.control import NoDaemon as NoDaemon
    from animus_sdk.control import connect_control as connect_control
    from animus_sdk.declarations import EnvRequirement as EnvRequirement
    from animus_sdk.declarations import ProjectBinding as ProjectBinding
    from animus_sdk.file_lock import FileLock as FileLock
    from animus_sdk.file_lock import FileLocked as FileLocked
    from animus_sdk.functions import Answer as Answer
    from animus_sdk.functions import Stream as Stream
    from animus_sdk.functions import inline as inline
    from animus_sdk.plugin import Plugin as Plugin
    from animus_sdk.process import serve as serve
    from animus_sdk.roles.bundle import Bundle as Bundle
    from animus_sdk.roles.log_storage import LogStorageBackend as LogStorageBackend
    from animus_sdk.roles.notifier import Notifier as Notifier
    from animus_sdk.roles.provider import Outcome as Outcome
    from animus_sdk.roles.provider import Provider as Provider
    from animus_sdk.roles.subject import SubjectBackend as SubjectBackend
    from animus_sdk.roles.transport import Opening as Opening
    from animus_sdk.roles.transport import TransportBackend as TransportBackend
    from animus_sdk.roles.transport import WebUi as WebUi
    from animus_sdk.roles.trigger import Trigger as Trigger
    from animus_sdk.roles.trigger import TriggerBackend as TriggerBackend
    from animus_sdk.subject_pages import first_ready as first_ready
    from animus_sdk.subject_pages import matches as matches
    from animus_sdk.subject_pages import page_of as page_of
    from animus_sdk.typed_methods import method as method
    from animus_sdk.typed_methods import tool as tool

NAMES: Final = {
    "animus_protocol.errors": (
        "BadReply",
        "CallTimeout",
        "Cancelled",
        "InvalidParams",
        "MethodNotFound",
        "NotFound",
        "NotSupported",
        "PluginError",
        "ProtocolError",
        "RpcError",
        "Unavailable",
    ),
    "animus_protocol.models.base": (
        "Json",
        "Method",
        "OrDefault",
        "SparseList",
        "SparseMap",
        "Timestamp",
        "WireModel",
        "encode",
        "utc_text",
    ),
    "animus_protocol.models.lifecycle": ("HealthCheckResult", "HealthStatus"),
    "animus_protocol.models.log_storage": (
        "LogEntry",
        "LogLevel",
        "LogQuery",
        "LogQueryResult",
        "LogSource",
        "LogStorageSchema",
        "SupportsFiltering",
    ),
    "animus_protocol.models.manifest": ("PluginManifest",),
    "animus_protocol.models.notifier": (
        "DaemonEventRecord",
        "NotifierFlushResult",
        "NotifierLifecycleEvent",
        "NotifierNotifyResult",
        "NotifierSchema",
    ),
    "animus_protocol.models.priority": ("PriorityName",),
    "animus_protocol.models.provider": ("AgentRunRequest", "AgentRunResponse", "TokenUsage"),
    "animus_protocol.models.subject": (
        "ChangeKind",
        "CustomFieldKind",
        "CustomFieldSpec",
        "StatusDispatchHint",
        "Subject",
        "SubjectAttachment",
        "SubjectChangedEvent",
        "SubjectCreateParams",
        "SubjectFilter",
        "SubjectList",
        "SubjectPatch",
        "SubjectSchema",
        "SubjectStatus",
    ),
    "animus_protocol.models.transport": ("TransportSchema",),
    "animus_protocol.models.trigger": ("TriggerActionHint", "TriggerEvent", "TriggerSchema"),
    "animus_protocol.models.verdict": ("Verdict",),
    "animus_protocol.reading": ("first_issue",),
    "animus_sdk.agent_context": ("AgentContext",),
    "animus_sdk.context": ("Context",),
    "animus_sdk.control": ("Control", "NoDaemon", "connect_control"),
    "animus_sdk.declarations": ("EnvRequirement", "ProjectBinding"),
    "animus_sdk.file_lock": ("FileLock", "FileLocked"),
    "animus_sdk.functions": ("Answer", "Stream", "inline"),
    "animus_sdk.plugin": ("Plugin",),
    "animus_sdk.process": ("serve",),
    "animus_sdk.roles.bundle": ("Bundle",),
    "animus_sdk.roles.log_storage": ("LogStorageBackend",),
    "animus_sdk.roles.notifier": ("Notifier",),
    "animus_sdk.roles.provider": ("Outcome", "Provider"),
    "animus_sdk.roles.subject": ("SubjectBackend",),
    "animus_sdk.roles.transport": ("Opening", "TransportBackend", "WebUi"),
    "animus_sdk.roles.trigger": ("Trigger", "TriggerBackend"),
    "animus_sdk.subject_pages": ("first_ready", "matches", "page_of"),
    "animus_sdk.typed_methods": ("method", "tool"),
}
"""The public names, by the module that they live in."""

if not TYPE_CHECKING:  # else a type checker would take any misspelt name for one of these
    __all__, __getattr__, __dir__ = lazy_names(sys.modules[__name__], NAMES)
