"""The log storage protocol: entries, queries and the tail (protocol §4).

Below lie `base`, `common` and `envelope`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from animus_protocol.models.base import Empty, Json, Method, OrDefault, Timestamp, WireModel
from animus_protocol.models.common import Int64, RequestId, Uint64
from animus_protocol.models.envelope import RpcErrorObject

__all__ = [
    "LOG_STORAGE_EVENT",
    "LOG_STORAGE_QUERY",
    "LOG_STORAGE_SCHEMA",
    "LOG_STORAGE_STORE",
    "LOG_STORAGE_TAIL",
    "LogEntry",
    "LogLevel",
    "LogQuery",
    "LogQueryResult",
    "LogSource",
    "LogStorageEventParams",
    "LogStorageSchema",
    "LogStoreParams",
    "LogStoreResult",
    "LogTailResult",
    "SupportsFiltering",
]


class LogLevel(StrEnum):
    """Levels, lowercase on the wire."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogSource(StrEnum):
    """Which part of the system speaks."""

    DAEMON = "daemon"
    PLUGIN = "plugin"
    CLI = "cli"
    WORKFLOW = "workflow"


class LogEntry(WireModel):
    """One line of the log; `id` makes storing it twice harmless."""

    id: str
    ts: Timestamp
    level: LogLevel
    source: LogSource
    source_name: str | None = None
    target: str
    message: str
    fields: Json = None


class LogQuery(WireModel):
    """Which entries; also the params of `log_storage/tail`."""

    since: Timestamp | None = None
    until: Timestamp | None = None
    min_level: LogLevel | None = None
    source: LogSource | None = None
    source_name: str | None = None
    target_glob: str | None = None
    cursor: str | None = None
    limit: Uint64 | None = None
    follow: OrDefault[bool] = False


class LogQueryResult(WireModel):
    """Result of `log_storage/query`, oldest first."""

    entries: list[LogEntry]
    next_cursor: str | None = None


class LogStoreParams(WireModel):
    """Params of `log_storage/store`."""

    entries: list[LogEntry]


class LogStoreResult(WireModel):
    """Result of `log_storage/store`: all of them or an error."""

    stored: Uint64


class LogTailResult(WireModel):
    """The reply that opens a tail."""

    tailing: bool = True


class LogStorageEventParams(WireModel):
    """Params of `log_storage/event`: an entry, or the error that ends the tail. `id` is the tail request's."""

    id: RequestId | None = None
    entry: LogEntry | None = None
    error: RpcErrorObject | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.entry is None and self.error is None:
            raise ValueError("neither an entry nor an error")
        return self


class SupportsFiltering(WireModel):
    """Which filters of a LogQuery the storage applies itself."""

    by_level: OrDefault[bool] = False
    by_source: OrDefault[bool] = False
    by_target: OrDefault[bool] = False
    by_glob: OrDefault[bool] = False
    by_time_range: OrDefault[bool] = False


class LogStorageSchema(WireModel):
    """What a log storage can do; `max_query_window` and `retention_hint` are in milliseconds (protocol §4)."""

    supports_query: bool
    supports_tail: bool
    supports_dedup: bool
    supports_filtering: SupportsFiltering
    max_query_window: Int64 | None = None
    retention_hint: Int64 | None = None


LOG_STORAGE_STORE = Method("log_storage/store", LogStoreParams, LogStoreResult, "protocol §4")
LOG_STORAGE_QUERY = Method("log_storage/query", LogQuery, LogQueryResult, "protocol §4")
LOG_STORAGE_TAIL = Method("log_storage/tail", LogQuery, LogTailResult, "protocol §4")
LOG_STORAGE_SCHEMA = Method("log_storage/schema", Empty, LogStorageSchema, "protocol §4")
LOG_STORAGE_EVENT: Method[LogStorageEventParams, None] = Method(
    "log_storage/event", LogStorageEventParams, None, "protocol §4"
)
