"""Small types that several protocols share: request ids, sized integers, acknowledgements, streams.

Below it lies `base`.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, model_validator

from animus_protocol.models.base import WireModel

__all__ = [
    "Acknowledged",
    "Int32",
    "Int64",
    "RequestId",
    "StreamItem",
    "SubscriptionClosed",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "Watching",
]

RequestId = int | str
"""The id of a JSON-RPC request; ours are small positive integers (protocol §1)."""

# JSON's integers have no size and the published types have one: what does not fit is refused here, with its field.
Uint8 = Annotated[int, Field(ge=0, le=2**8 - 1)]
Uint16 = Annotated[int, Field(ge=0, le=2**16 - 1)]
Uint32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
Uint64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

_T = TypeVar("_T")


class Acknowledged(WireModel):
    """A result whose content says nothing: written as `{}`, read from anything (peers answer null, true, an object)."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_read(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else {}


class Watching(WireModel):
    """The reply that opens a stream of notifications (protocol §4, §5)."""

    watching: bool = True


class StreamItem(WireModel, Generic[_T]):
    """Params of a stream's notification on the control socket; `id` is the id of the request that opened it."""

    id: RequestId
    data: _T


class SubscriptionClosed(WireModel):
    """Params of `subscription/closed`: the stream that request `id` opened has ended."""

    id: RequestId
    reason: str = ""
