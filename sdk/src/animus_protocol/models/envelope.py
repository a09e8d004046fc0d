"""The JSON-RPC 2.0 envelope as types, for documentation, tests and error values inside streams.

The connection itself reads and writes frames without these models; below lies `base`.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from animus_protocol.models.base import Json, KeepsNull, WireModel
from animus_protocol.models.common import Int32

__all__ = ["RpcErrorObject", "RpcNotification", "RpcRequest", "RpcResponse"]


class RpcErrorObject(WireModel):
    """The `error` of a reply, or of a stream that failed (protocol §3)."""

    # The published title; the `RpcError` of this package is the exception.
    model_config = ConfigDict(title="RpcError")

    code: Int32
    message: str
    data: Json = None


class RpcRequest(KeepsNull):
    """A request; without an `id` it is a notification."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"id"})

    jsonrpc: str
    method: str
    id: Json = None
    params: Json = None


class RpcNotification(WireModel):
    """A message that nobody answers."""

    jsonrpc: str
    method: str
    params: Json = None


class RpcResponse(KeepsNull):
    """A reply: `result` (null is a result) or `error`."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"id", "result"})

    jsonrpc: str
    id: Json = None
    result: Json = None
    error: RpcErrorObject | None = None
