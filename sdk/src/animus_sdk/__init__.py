"""What plugin authors import: one role class a kind, the context of a call, errors, and `serve`.

    from animus_sdk import Provider, serve

Importing it stays cheap: a name is imported when it is first used, and a wire model is built when it is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from animus_protocol.models.lifecycle import HealthCheckResult, HealthStatus, ProjectBinding
    from animus_protocol.models.log_storage import LogEntry, LogLevel, LogQuery, LogQueryResult
    from animus_protocol.models.manifest import EnvRequirement
    from animus_protocol.models.notifier import DaemonEventRecord
    from animus_protocol.models.provider import AgentRunRequest, AgentRunResponse
    from animus_protocol.models.subject import (
        ChangeKind,
        Subject,
        SubjectChangedEvent,
        SubjectCreateParams,
        SubjectFilter,
        SubjectList,
        SubjectPatch,
        SubjectStatus,
    )
    from animus_protocol.models.trigger import TriggerEvent
    from animus_sdk.agent_context import AgentContext
    from animus_sdk.context import Context
    from animus_sdk.errors import InvalidInput, NotFound, PluginError, Unavailable, Unsupported
    from animus_sdk.handlers import inline
    from animus_sdk.plugin import Plugin
    from animus_sdk.process import serve
    from animus_sdk.roles.bundle import Bundle
    from animus_sdk.roles.log_storage import LogStorageBackend
    from animus_sdk.roles.notifier import Notifier
    from animus_sdk.roles.provider import Provider
    from animus_sdk.roles.subject import SubjectBackend
    from animus_sdk.roles.transport import Opening, TransportBackend, WebUi
    from animus_sdk.roles.trigger import Trigger, TriggerBackend
    from animus_sdk.typed_methods import method, tool

_HOMES: Final = {
    "animus_protocol.models.lifecycle": ("HealthCheckResult", "HealthStatus", "ProjectBinding"),
    "animus_protocol.models.log_storage": ("LogEntry", "LogLevel", "LogQuery", "LogQueryResult"),
    "animus_protocol.models.manifest": ("EnvRequirement",),
    "animus_protocol.models.notifier": ("DaemonEventRecord",),
    "animus_protocol.models.provider": ("AgentRunRequest", "AgentRunResponse"),
    "animus_protocol.models.subject": (
        "ChangeKind",
        "Subject",
        "SubjectChangedEvent",
        "SubjectCreateParams",
        "SubjectFilter",
        "SubjectList",
        "SubjectPatch",
        "SubjectStatus",
    ),
    "animus_protocol.models.trigger": ("TriggerEvent",),
    "animus_sdk.agent_context": ("AgentContext",),
    "animus_sdk.context": ("Context",),
    "animus_sdk.errors": ("InvalidInput", "NotFound", "PluginError", "Unavailable", "Unsupported"),
    "animus_sdk.handlers": ("inline",),
    "animus_sdk.plugin": ("Plugin",),
    "animus_sdk.process": ("serve",),
    "animus_sdk.roles.bundle": ("Bundle",),
    "animus_sdk.roles.log_storage": ("LogStorageBackend",),
    "animus_sdk.roles.notifier": ("Notifier",),
    "animus_sdk.roles.provider": ("Provider",),
    "animus_sdk.roles.subject": ("SubjectBackend",),
    "animus_sdk.roles.transport": ("Opening", "TransportBackend", "WebUi"),
    "animus_sdk.roles.trigger": ("Trigger", "TriggerBackend"),
    "animus_sdk.typed_methods": ("method", "tool"),
}

__all__ = [
    "AgentContext",
    "AgentRunRequest",
    "AgentRunResponse",
    "Bundle",
    "ChangeKind",
    "Context",
    "DaemonEventRecord",
    "EnvRequirement",
    "HealthCheckResult",
    "HealthStatus",
    "InvalidInput",
    "LogEntry",
    "LogLevel",
    "LogQuery",
    "LogQueryResult",
    "LogStorageBackend",
    "NotFound",
    "Notifier",
    "Opening",
    "Plugin",
    "PluginError",
    "ProjectBinding",
    "Provider",
    "Subject",
    "SubjectBackend",
    "SubjectChangedEvent",
    "SubjectCreateParams",
    "SubjectFilter",
    "SubjectList",
    "SubjectPatch",
    "SubjectStatus",
    "TransportBackend",
    "Trigger",
    "TriggerBackend",
    "TriggerEvent",
    "Unavailable",
    "Unsupported",
    "WebUi",
    "inline",
    "method",
    "serve",
    "tool",
]


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
