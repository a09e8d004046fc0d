"""The role of a notifier: tells people what the daemon's events say.

Below it lie the wire models of `animus_protocol.models.notifier`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from animus_protocol.errors import NotSupported
from animus_sdk.functions import Answer, inline
from animus_sdk.lazy_names import LazyModule
from animus_sdk.mistakes import wrong_forms, wrong_kinds
from animus_sdk.plugin import Route, overrides
from animus_sdk.roles.kind import KindRole

if TYPE_CHECKING:
    from animus_protocol.models import notifier as wire
    from animus_sdk.call import Call
else:
    wire = LazyModule("animus_protocol.models.notifier")

__all__ = ["Notifier"]


class Notifier(KindRole):
    """Override `notify`, and `flush` where messages are collected before they are sent."""

    plugin_kind = "notifier"
    overridable = ("notify", "flush", "schema")
    called_elsewhere = MappingProxyType({"on_event": "notify", "handle_event": "notify", "send": "notify"})
    served_by = MappingProxyType({"notifier/notify": "notify", "notifier/flush": "flush", "notifier/schema": None})
    connector_kinds: ClassVar[tuple[str, ...]]
    """How people are reached: `("mail",)`."""

    def notify(self, event: wire.DaemonEventRecord) -> Answer[wire.NotifierNotifyResult | int]:
        """Take an event; the count of messages sent for it is answer enough (0 for one that nobody wants).

        Raise Unavailable when it cannot be sent now.
        """
        raise NotSupported("notifier/notify")

    def flush(self, project_root: str | None) -> Answer[wire.NotifierFlushResult | None]:
        """Send what was collected, of one project or of all."""
        raise NotSupported("notifier/flush")

    @inline
    def schema(self) -> Answer[wire.NotifierSchema]:
        """What this notifier can do."""
        return wire.NotifierSchema(
            connector_kinds=[*self.connector_kinds], supports_flush=overrides(type(self), Notifier, "flush")
        )

    def kind_routes(self) -> Sequence[Route]:
        """The routes of all methods of the kind."""
        from animus_sdk.handlers import adapt

        self.__run_notify, self.__run_flush = adapt(self.notify), adapt(self.flush)
        self.__notified = self.checked("notify", wire.NotifierNotifyResult, int)
        self.__flushed = self.checked("flush", wire.NotifierFlushResult, None)
        return [
            self.answered(wire.NOTIFIER_SCHEMA, "schema", wire.NotifierSchema, arguments=lambda _: ()),
            Route(wire.NOTIFIER_NOTIFY, self.__notify),
            Route(wire.NOTIFIER_FLUSH, self.__flush),
        ]

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, wrong connector_kinds, and methods that yield though they must return."""
        return [
            *super().mistakes(),
            *wrong_kinds(cls, "connector_kinds", "mail"),
            *wrong_forms(cls, answering=["notify", "flush", "schema"]),
        ]

    async def __notify(self, params: wire.NotifierNotifyParams, call: Call) -> wire.NotifierNotifyResult:
        given = await self.__run_notify.wait(call.threads, params.event)
        answer: wire.NotifierNotifyResult | int = self.__notified(given)
        if isinstance(answer, wire.NotifierNotifyResult):
            return answer
        return wire.NotifierNotifyResult(accepted=True, delivered=answer)

    async def __flush(self, params: wire.NotifierFlushParams, call: Call) -> wire.NotifierFlushResult:
        given = await self.__run_flush.wait(call.threads, params.project_root)
        answer: wire.NotifierFlushResult | None = self.__flushed(given)
        return wire.NotifierFlushResult() if answer is None else answer
