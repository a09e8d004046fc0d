"""The role of a log storage: keeps the log's entries and gives them back.

Below it lie the wire models of `animus_protocol.models.log_storage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from animus_protocol.errors import NotSupported
from animus_sdk.functions import Answer, Stream, inline
from animus_sdk.lazy_names import LazyModule, lazy_default
from animus_sdk.mistakes import wrong_forms
from animus_sdk.plugin import Route, overrides
from animus_sdk.roles.kind import KindRole

if TYPE_CHECKING:
    from animus_protocol.models import log_storage as wire
    from animus_protocol.models.envelope import RpcErrorObject
    from animus_sdk.call import Call
else:
    wire = LazyModule("animus_protocol.models.log_storage")

__all__ = ["LogStorageBackend"]


def _no_filters() -> wire.SupportsFiltering:
    return wire.SupportsFiltering()


class LogStorageBackend(KindRole):
    """Override `store`, and `query` and `tail` where entries can be read back."""

    plugin_kind = "log_storage_backend"
    overridable = ("store", "query", "tail", "schema")
    served_by = MappingProxyType(
        {
            "log_storage/store": "store",
            "log_storage/query": "query",
            "log_storage/tail": "tail",
            "log_storage/schema": None,
        }
    )
    streamed = "log_storage/tail"
    filters: ClassVar[wire.SupportsFiltering] = lazy_default(_no_filters)
    """Which fields of a query this storage applies itself."""
    dedups: ClassVar[bool] = False
    """Whether an entry whose id is stored already is stored only once."""
    max_query_window_ms: ClassVar[int | None] = None
    """The longest time from `since` to `until` that one query may ask for; None: any."""
    retention_ms: ClassVar[int | None] = None
    """How long entries are kept; None: for ever, or nobody knows."""

    def store(self, entries: Sequence[wire.LogEntry]) -> Answer[int | None]:
        """Keep all of them or, raising, none. The count of those stored; None stands for all.

        Raise Unavailable when they cannot be kept now.
        """
        raise NotSupported("log_storage/store")

    def query(self, query: wire.LogQuery) -> Answer[wire.LogQueryResult]:
        """Entries that pass every set field, oldest first, from `cursor` on, at most `limit`.

        Raise InvalidParams for a cursor that this storage did not give.
        """
        raise NotSupported("log_storage/query")

    def tail(self, query: wire.LogQuery) -> Stream[wire.LogEntry]:
        """A generator of entries from now on, without a gap. An async one subscribes before its first `await`."""
        raise NotSupported("log_storage/tail")

    @inline
    def schema(self) -> Answer[wire.LogStorageSchema]:
        """What this storage can do; the default says what is overridden and set."""
        return wire.LogStorageSchema(
            supports_query=overrides(type(self), LogStorageBackend, "query"),
            supports_tail=overrides(type(self), LogStorageBackend, "tail"),
            supports_dedup=self.dedups,
            supports_filtering=self.filters,
            max_query_window=self.max_query_window_ms,
            retention_hint=self.retention_ms,
        )

    def kind_routes(self) -> Sequence[Route]:
        """The routes of all methods of the kind."""
        from animus_sdk.handlers import adapt

        # Two underscores: such a name cannot meet an attribute of the author's class.
        self.__run_store = adapt(self.store)
        self.__stored = self.checked("store", int, None)
        self.__entry = self.checked("tail", wire.LogEntry)
        return [
            self.answered(wire.LOG_STORAGE_SCHEMA, "schema", wire.LogStorageSchema, arguments=lambda _: ()),
            Route(wire.LOG_STORAGE_STORE, self.__store),
            self.answered(wire.LOG_STORAGE_QUERY, "query", wire.LogQueryResult, arguments=lambda params: (params,)),
            Route(wire.LOG_STORAGE_TAIL, self.__tail),
        ]

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, a `tail` that does not yield, and other methods that do."""
        forms = wrong_forms(cls, answering=["store", "query", "schema"], streaming=["tail"])
        return [*super().mistakes(), *forms]

    async def __store(self, params: wire.LogStoreParams, call: Call) -> wire.LogStoreResult:
        stored: int | None = self.__stored(await self.__run_store.wait(call.threads, params.entries))
        return wire.LogStoreResult(stored=len(params.entries) if stored is None else stored)

    async def __tail(self, query: wire.LogQuery, call: Call) -> wire.LogTailResult:
        def to_wire(entry: wire.LogEntry) -> wire.LogStorageEventParams:
            return wire.LogStorageEventParams(id=call.request_id, entry=self.__entry(entry))

        def failed(error: RpcErrorObject) -> wire.LogStorageEventParams:
            return wire.LogStorageEventParams(id=call.request_id, error=error)

        await call.stream(self.tail(query), to_wire, wire.LOG_STORAGE_EVENT, failed=failed)
        return wire.LogTailResult()
