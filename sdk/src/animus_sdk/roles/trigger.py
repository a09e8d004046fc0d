"""The role of a trigger: tells the host of events outside that may start work.

Below it lie the wire models of `animus_protocol.models.trigger`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from animus_protocol.errors import Code, InvalidParams, NotSupported, RpcError
from animus_sdk.functions import Answer, Stream, inline
from animus_sdk.lazy_names import LazyModule
from animus_sdk.mistakes import wrong_forms, wrong_kinds
from animus_sdk.plugin import Route, overrides
from animus_sdk.roles.kind import KindRole
from animus_sdk.typed_config import config_type, read_config

if TYPE_CHECKING:
    from animus_protocol.models import common
    from animus_protocol.models import trigger as wire
    from animus_protocol.models.envelope import RpcErrorObject
    from animus_sdk.call import Call
else:
    common = LazyModule("animus_protocol.models.common")
    wire = LazyModule("animus_protocol.models.trigger")

__all__ = ["Trigger", "TriggerBackend"]

_Config = TypeVar("_Config")
# A host that watches anew cancels the old watch and opens the next one in the same breath.
_ENDING_S: Final = 2.0


class Trigger(NamedTuple, Generic[_Config]):
    """One trigger of the project's workflows: its id, the workflow that it starts, its configuration."""

    id: str
    workflow_ref: str | None
    config: _Config


class TriggerBackend(KindRole, Generic[_Config]):
    """Override `watch`, and `ack` to know what the host has made durable.

    `class Mail(TriggerBackend[MailConfig])`: each trigger's `config` comes as a MailConfig; a mistake in it is refused
    with its place before `watch` is called.
    """

    plugin_kind = "trigger_backend"
    overridable = ("watch", "ack", "schema")
    served_by = MappingProxyType({"trigger/watch": "watch", "trigger/ack": "ack", "trigger/schema": None})
    streamed = "trigger/watch"
    trigger_kinds: ClassVar[tuple[str, ...]]
    """What kinds of triggers this is: `("mail",)`."""
    supports_resume: ClassVar[bool] = False
    """Whether `watch` goes on behind the cursor, or behind what was acknowledged."""
    supports_dedup: ClassVar[bool] = False
    """Whether the same event always carries the same id."""

    def watch(self, triggers: Sequence[Trigger[_Config]], cursor: Any) -> Stream[wire.TriggerEvent]:
        """A generator of events. An async one subscribes before its first `await`, so that nothing is missed.

        An event that was not acknowledged is sent again by the next `watch`. Raise InvalidParams for a
        trigger that cannot be watched, Unavailable when the system behind is gone; either ends the stream.
        """
        raise NotSupported("trigger/watch")

    def ack(self, event_id: str, status: str | None) -> Answer[None]:
        """The host has made this event durable: it is not to be sent again, also after a restart."""
        raise NotSupported("trigger/ack")

    @inline
    def schema(self) -> Answer[wire.TriggerSchema]:
        """What this backend can do; the default says what is overridden and set."""
        return wire.TriggerSchema(
            kinds=[*self.trigger_kinds],
            supports_resume=self.supports_resume,
            supports_dedup=self.supports_dedup,
            supports_ack=overrides(type(self), TriggerBackend, "ack"),
        )

    def kind_routes(self) -> Sequence[Route]:
        """The routes of all methods of the kind; `trigger/ack` is a request and a notification (protocol §4)."""
        from animus_sdk.handlers import adapt

        self.__watched_by: int | str | None = None
        self.__opening = False
        self.__run_ack = adapt(self.ack)
        self.__event = self.checked("watch", wire.TriggerEvent)
        return [
            self.answered(wire.TRIGGER_SCHEMA, "schema", wire.TriggerSchema, arguments=lambda _: ()),
            Route(wire.TRIGGER_WATCH, self.__watch),
            Route(wire.TRIGGER_ACK, self.__ack),
            Route(wire.TRIGGER_ACK_NOTIFICATION, self.__ack),
        ]

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, wrong trigger_kinds, a `watch` that does not yield, and other methods that do."""
        return [
            *super().mistakes(),
            *wrong_kinds(cls, "trigger_kinds", "mail"),
            *wrong_forms(cls, answering=["ack", "schema"], streaming=["watch"]),
        ]

    async def __watch(self, params: wire.TriggerWatchParams, call: Call) -> common.Watching:
        triggers = _triggers(params.config, config_type(type(self), TriggerBackend))
        before = self.__watched_by
        if self.__opening:
            raise _second_watch()
        # The wait below gives a second watch its turn: it must find that the place is taken.
        self.__opening = True
        try:
            if before is not None and not await call.stream_over(before, timeout_s=_ENDING_S):
                raise _second_watch()
            self.__watched_by = call.request_id
            await call.stream(self.watch(triggers, params.cursor), self.__to_wire, wire.TRIGGER_EVENT, failed=_failed)
        finally:
            self.__opening = False
        return common.Watching()

    def __to_wire(self, event: wire.TriggerEvent) -> wire.TriggerEventParams:
        return wire.TriggerEventParams(event=self.__event(event))

    async def __ack(self, params: wire.TriggerAckParams, call: Call) -> wire.TriggerAckResult:
        await self.__run_ack.wait(call.threads, params.event_id, params.status)
        return wire.TriggerAckResult(event_id=params.event_id, acked=True)


def _second_watch() -> RpcError:
    return RpcError(Code.INVALID_REQUEST, "one watch a connection, and one is open", {"category": "conflict"})


def _failed(error: RpcErrorObject) -> wire.TriggerEventParams:
    return wire.TriggerEventParams(error=error)


def _triggers(config: Any, kind: Any) -> list[Trigger[Any]]:
    """The project's triggers out of `{"triggers": [{id, workflow_ref, config}]}`; none of them is fine."""
    match config:
        case None | {"triggers": None}:
            rows: list[Any] = []
        case {"triggers": list() as rows}:
            pass
        case Mapping() if "triggers" not in config:
            rows = []
        case _:
            raise InvalidParams('config: expected {"triggers": [{"id": …, "workflow_ref": …, "config": {…}}]}')
    triggers = []
    for number, row in enumerate(rows):
        trigger_id = row.get("id") if isinstance(row, Mapping) else None
        if not isinstance(trigger_id, str):
            raise InvalidParams(f"config.triggers[{number}].id: expected a text")
        settings = read_config(kind, row.get("config"), f"config.triggers[{number}] ({trigger_id})")
        triggers.append(Trigger(trigger_id, row.get("workflow_ref"), settings))
    return triggers
