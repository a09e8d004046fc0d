"""What every wire model shares: tolerant reading, strict and sparse writing.

Below it lie pydantic and `encoding.py`. Reading ignores unknown fields and takes an explicit null for a list or a flag
as its default (protocol §2); writing leaves out every optional field without a value, so that no peer ever has to read
a null that means nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import PydanticUseDefault

from animus_protocol.encoding import encode

__all__ = [
    "Empty",
    "Json",
    "KeepsNull",
    "Method",
    "OrDefault",
    "Params",
    "Result",
    "SparseList",
    "SparseMap",
    "Timestamp",
    "WireModel",
    "encode",
    "utc_text",
]

Json = Any
"""A value of JSON whose shape belongs to somebody else (a plugin's own configuration, a tool's arguments)."""

Timestamp = AwareDatetime
"""A point in time with its offset (`date-time` of JSON Schema)."""

_T = TypeVar("_T")


def _null_is_absent(value: object) -> object:
    if value is None:
        raise PydanticUseDefault
    return value


OrDefault = Annotated[_T, BeforeValidator(_null_is_absent)]
"""A field with a default that some peers spell as an explicit null; only for fields that have a default."""


def _is_empty(value: list[Any] | dict[str, Any]) -> bool:
    return not value


SparseList = Annotated[list[_T], BeforeValidator(_null_is_absent), Field(exclude_if=_is_empty)]
"""An optional list without a published default: null reads as empty, and empty is left out of the wire.

Every such field is declared with `= Field(default_factory=list)`.
"""

SparseMap = Annotated[dict[str, _T], BeforeValidator(_null_is_absent), Field(exclude_if=_is_empty)]
"""`SparseList` for a JSON object with free keys; declared with `= Field(default_factory=dict)`."""


class WireModel(BaseModel):
    """Base of every type that crosses a process boundary.

    Built on first use (`defer_build`), so that importing a module of models stays cheap.
    """

    model_config = ConfigDict(extra="ignore", defer_build=True, populate_by_name=True)


class KeepsNull(WireModel):
    """A model in which null is a value and not an absence, for the fields named in `KEEP_NULL`.

    Such a field is written when it was set, also when it was set to None (`SubjectPatch.assignee`: null clears).
    """

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _write_set_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for name in self.KEEP_NULL & self.model_fields_set:
            written.setdefault(name, None)
        return written


class Empty(WireModel):
    """`{}`: params or result that carry nothing."""


Params = TypeVar("Params", bound=WireModel)
Result = TypeVar("Result")


class Method(Generic[Params, Result]):
    """One row of the method table: a name on the wire and the types that travel under it.

    `result` is None for a notification. `doc` names the section of the protocol it comes from.
    """

    __slots__ = ("doc", "name", "params", "result")

    def __init__(self, name: str, params: type[Params], result: type[Result] | None, doc: str) -> None:
        self.name: Final = name
        self.params: Final = params
        self.result: Final = result
        self.doc: Final = doc

    def named(self, name: str) -> Method[Params, Result]:
        """The same types under another name: `task/list` has the types of `subject/list`."""
        return Method(name, self.params, self.result, self.doc)

    def __repr__(self) -> str:
        return f"Method({self.name!r})"


def utc_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and a Z, as the daemon writes every timestamp."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
