"""The roles of a transport and of a web UI: both listen on an address and bridge to the daemon's control socket.

Below them lie the wire models of `animus_protocol.models.transport`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from animus_protocol.errors import Code, NotSupported, RpcError
from animus_sdk.functions import Answer, inline
from animus_sdk.lazy_names import LazyModule
from animus_sdk.mistakes import wrong_forms, wrong_kinds
from animus_sdk.plugin import Route
from animus_sdk.profile import Offer
from animus_sdk.roles.kind import KindRole
from animus_sdk.typed_config import config_type, read_config

if TYPE_CHECKING:
    import asyncio

    from animus_protocol.models import base
    from animus_protocol.models import transport as wire
    from animus_sdk.call import Call
    from animus_sdk.handlers import Threads
else:
    asyncio = LazyModule("asyncio")
    base = LazyModule("animus_protocol.models.base")
    wire = LazyModule("animus_protocol.models.transport")

__all__ = ["Opening", "TransportBackend", "WebUi"]

_Config = TypeVar("_Config")
_CATEGORIES: Final = {
    errno.EADDRINUSE: "address_in_use",
    errno.EADDRNOTAVAIL: "invalid_request",
}


class Opening(Generic[_Config]):
    """What a host asks a transport to open: where to listen, which daemon to bridge to, how it is configured.

    `bind_addr` is `host:port` or None for the transport's own choice; `control_socket_path` is absolute.
    """

    def __init__(self, params: wire.TransportConfig, config: _Config) -> None:
        self.control_socket_path = params.control_socket_path
        self.project_root = params.project_root
        self.bind_addr = params.bind_addr
        self.config = config


class TransportBackend(KindRole, Generic[_Config]):
    """Override `open` and `close`. `class Http(TransportBackend[HttpConfig])` gets its `config` as an HttpConfig.

    An OSError of `open` becomes the category that fits (`address_in_use`, `permission_denied`, …). A second
    `transport/start` is a conflict as long as the first one is open; `transport/shutdown` may come twice.
    """

    plugin_kind = "transport_backend"
    overridable = ("open", "close", "schema")
    served_by = MappingProxyType({"transport/start": "open", "transport/shutdown": None, "transport/schema": None})
    transport_kinds: ClassVar[tuple[str, ...]] = ("http",)
    """What is spoken at the address."""
    supports_streaming: ClassVar[bool] = False
    """Whether clients get events as they happen."""
    supports_websocket: ClassVar[bool] = False
    default_port: ClassVar[int | None] = None
    """Where it listens when the host names no address; None: the system chooses."""

    def open(self, opening: Opening[_Config]) -> Answer[str]:
        """Listen; the address that is really bound, as `host:port`, or as a URL.

        Raise InvalidParams for an address or a configuration that cannot be used.
        """
        raise NotSupported("transport/start")

    def close(self) -> Answer[None]:
        """Let requests that are under way finish (the host waits 5 s), and release the address.

        It comes also after an `open` that the host cancelled, whether that had bound the address or not.
        """

    @inline
    def schema(self) -> Answer[wire.TransportSchema]:
        """What this transport can do, from the class variables."""
        return wire.TransportSchema(
            kinds=[*self.transport_kinds],
            supports_streaming=self.supports_streaming,
            supports_websocket=self.supports_websocket,
            default_port=self.default_port,
        )

    __is_asked = False

    def kind_routes(self) -> Sequence[Route]:
        """The routes of all methods of the kind."""
        self.__open: wire.TransportInfo | None = None
        self.__half_open = False
        # A start and a shutdown that cross would leave the address bound, with nobody who knows of it.
        self.__turn = asyncio.Lock()
        self.__is_asked = True
        self.__bound = self.checked("open", str)
        return [
            self.answered(wire.TRANSPORT_SCHEMA, "schema", wire.TransportSchema, arguments=lambda _: ()),
            Route(wire.TRANSPORT_START, self.__start),
            Route(wire.TRANSPORT_SHUTDOWN, self.__shutdown),
        ]

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, wrong transport_kinds, and methods that yield though they must return."""
        return [
            *super().mistakes(),
            *wrong_kinds(cls, "transport_kinds", "http"),
            *wrong_forms(cls, answering=["open", "close", "schema"]),
        ]

    @classmethod
    def offer(cls) -> Offer:
        """The served methods; `streaming` is the class variable `supports_streaming`."""
        return super().offer()._replace(streaming=cls.supports_streaming)

    async def end_role(self, threads: Threads) -> None:
        """Release the address when the host ends the plugin without `transport/shutdown`."""
        if self.__is_asked:  # else there was no request, and nothing is open
            async with self.__turn:
                await self.__end(threads)

    async def __start(self, params: wire.TransportConfig, call: Call) -> wire.TransportInfo:
        async with self.__turn:
            if self.__open is not None:
                text = f"already listening on {self.__open.bound_addr}: transport/shutdown comes first"
                raise RpcError(Code.INVALID_REQUEST, text, {"category": "conflict"})
            await self.__end(call.threads)
            config = read_config(config_type(type(self), TransportBackend), params.config, "config")
            # Before `open`: a cancellation in the middle of it cannot tell whether the address is bound by then.
            self.__half_open = True
            try:
                from animus_sdk.handlers import adapt

                given = await adapt(self.open).wait(call.threads, Opening(params, config))
            except Exception as error:  # nothing is open then; raised again
                self.__half_open = False
                if isinstance(error, OSError):
                    raise _refused(error, params.bind_addr) from error
                raise
            bound: str = self.__bound(given)  # else it is open, nobody knows where, and `close` still has to come
            self.__open = wire.TransportInfo(bound_addr=bound, started_at=datetime.now(UTC))
            return self.__open

    async def __shutdown(self, params: base.Empty, call: Call) -> base.Empty:
        await self.end_role(call.threads)
        return base.Empty()

    async def __end(self, threads: Threads) -> None:
        """Close what is open, or what a cancelled start may have left open."""
        if self.__half_open:
            from animus_sdk.handlers import adapt

            self.__open, self.__half_open = None, False
            await adapt(self.close).wait(threads)


def _refused(error: OSError, bind_addr: str | None) -> RpcError:
    """The error reply for an `open` that failed, with the category that fits."""
    import socket  # with asyncio, whose code is running already

    match error:
        case PermissionError():
            category = "permission_denied"
        case socket.gaierror():
            category = "invalid_request"
        case _:
            category = _CATEGORIES.get(error.errno or 0, "unavailable")
    where = bind_addr or "the default address"
    return RpcError(Code.INTERNAL_ERROR, f"cannot listen on {where}: {error.strerror or error}", {"category": category})


class WebUi(TransportBackend[_Config], Generic[_Config]):
    """A transport that serves a page for people at its address, and answers `GET /healthz` (protocol §4)."""

    plugin_kind = "web_ui"
