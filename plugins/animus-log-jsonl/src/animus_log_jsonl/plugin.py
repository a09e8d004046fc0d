"""The plugin process: the protocol's verbs on a log in files.

Started by a host as `animus-log-jsonl`; below it lie `settings.py` and `log.py`, which are imported only at start, so
that `--manifest` answers quickly. Storing waits for the disk on a thread of its own, queries read on others.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, ClassVar

from animus_sdk import EnvRequirement, LogStorageBackend, inline, serve

if TYPE_CHECKING:
    from animus_log_jsonl.log import JsonlLog
    from animus_log_jsonl.settings import LogSettings
    from animus_sdk import HealthCheckResult, LogEntry, LogQuery, LogQueryResult, LogStorageSchema, ProjectBinding

__all__ = ["JsonlLogPlugin", "main"]

_DAY_MS = 86_400_000


class JsonlLogPlugin(LogStorageBackend):
    """A log in JSON Lines files, one entry a line."""

    name = "animus-log-jsonl"
    version = "0.1.0"
    description = "The log in JSON Lines files: rotated, deduplicated, queried and followed."
    threads = 4
    dedups = True
    notification_buffer_size = 10_000
    env: ClassVar[tuple[EnvRequirement, ...]] = (
        EnvRequirement(name="ANIMUS_LOG_FILE_PATH", description="The file, absolute or relative to the project."),
        EnvRequirement(name="ANIMUS_LOG_ROTATE_BYTES", description="The size at which a file is rotated; 64 MiB."),
        EnvRequirement(name="ANIMUS_LOG_RETENTION_DAYS", description="Rotated files older than this are deleted."),
        EnvRequirement(name="ANIMUS_LOG_RETENTION_FILES", description="How many rotated files are kept."),
        EnvRequirement(name="ANIMUS_LOG_RETENTION_BYTES", description="How large all files together become; 1 GiB."),
        EnvRequirement(
            name="ANIMUS_LOG_FSYNC",
            description="When entries are forced onto the disk: always (before they are acknowledged; the default), "
            "interval:<milliseconds>, never.",
        ),
        EnvRequirement(name="ANIMUS_CONFIG_DIR", description="The folder of the default file, in place of ~/.animus."),
    )

    _log: JsonlLog | None = None
    _settings: LogSettings

    async def start(self, project: ProjectBinding) -> None:
        """Read the settings, take the log over, fix what a crash has left."""
        from animus_log_jsonl.log import JsonlLog
        from animus_log_jsonl.settings import read_settings

        self._settings = read_settings(os.environ, project)
        self._log = await JsonlLog.open(self._settings)

    async def stop(self) -> None:
        """Force what was written onto the disk and let the log go."""
        if self._log is not None:
            await self._log.close()

    # Async: a plain function would wait behind the queries for its turn on the threads.
    async def health(self) -> HealthCheckResult:
        """Degraded while a line cannot be read or the disk refuses; `last_error` says where and what to do."""
        from animus_sdk import HealthCheckResult, HealthStatus

        return HealthCheckResult(status=HealthStatus.HEALTHY) if self._log is None else self._log.damage.report()

    async def store(self, entries: Sequence[LogEntry]) -> int:
        """Append what is new, all or none; answers when it is as safe as `ANIMUS_LOG_FSYNC` asks for."""
        return await self._opened.store(entries)

    def query(self, query: LogQuery) -> LogQueryResult:
        """A page in the order of storing."""
        ctx = self.ctx
        return self._opened.query(query, lambda: ctx.cancelled)

    def tail(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        """Entries as they are stored, from now on or from a cursor on."""
        return self._opened.tail(query)

    @inline
    def schema(self) -> LogStorageSchema:
        """What is overridden and set, and how long entries are kept."""
        from animus_sdk import LogStorageSchema, SupportsFiltering

        days = self._settings.retention.days
        return LogStorageSchema(
            supports_query=True,
            supports_tail=True,
            supports_dedup=self.dedups,
            supports_filtering=SupportsFiltering(
                by_level=True, by_source=True, by_target=True, by_glob=True, by_time_range=True
            ),
            retention_hint=None if days is None else days * _DAY_MS,
        )

    @property
    def _opened(self) -> JsonlLog:
        if self._log is None:
            raise RuntimeError("the session calls no handler before start")
        return self._log


def main() -> None:
    """The console script."""
    serve(JsonlLogPlugin)
