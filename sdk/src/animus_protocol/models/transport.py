"""The transport protocol, which web_ui plugins serve too (protocol §4).

Below lies `base`.
"""

from __future__ import annotations

from animus_protocol.models.base import Empty, Json, Method, Timestamp, WireModel
from animus_protocol.models.common import Acknowledged, Uint16

__all__ = [
    "TRANSPORT_SCHEMA",
    "TRANSPORT_SHUTDOWN",
    "TRANSPORT_START",
    "TransportConfig",
    "TransportInfo",
    "TransportSchema",
]


class TransportConfig(WireModel):
    """Params of `transport/start`; paths are absolute, `bind_addr` is `host:port`."""

    control_socket_path: str
    project_root: str
    bind_addr: str | None = None
    config: Json = None


class TransportInfo(WireModel):
    """Result of `transport/start`: where the transport really listens."""

    bound_addr: str
    started_at: Timestamp


class TransportSchema(WireModel):
    """Result of `transport/schema`."""

    kinds: list[str]
    supports_streaming: bool
    supports_websocket: bool
    default_port: Uint16 | None = None


TRANSPORT_START = Method("transport/start", TransportConfig, TransportInfo, "protocol §4")
TRANSPORT_SCHEMA = Method("transport/schema", Empty, TransportSchema, "protocol §4")
TRANSPORT_SHUTDOWN = Method("transport/shutdown", Empty, Acknowledged, "protocol §4")
