"""JSON that came in as the values that it stands for: results, params, notifications.

Below it lie the wire models. Validators are built once a type and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import ValidationError

from animus_protocol.errors import InvalidParams

if TYPE_CHECKING:
    from animus_protocol.models.base import Method, Params

__all__ = ["first_issue", "read_params", "read_value"]

_T = TypeVar("_T")

_validators: dict[Any, Callable[[Any], Any]] = {}


def read_value(kind: type[_T], raw: Any) -> _T:
    """`raw` JSON as a value of `kind`. Raises pydantic.ValidationError."""
    validate = _validators.get(kind)
    if validate is None:
        from pydantic import TypeAdapter  # a process that has read no model yet has not imported pydantic either

        validate = _validators[kind] = TypeAdapter(kind).validator.validate_python
    value: _T = validate(raw)
    return value


def read_params(method: Method[Params, Any], raw: Any) -> Params:
    """The params of `method`. Raises InvalidParams with one issue a mistake (protocol §3)."""
    try:
        return read_value(method.params, raw)
    except ValidationError as error:
        # Without the values themselves: they may be large or secret, and the message goes into logs.
        issues = [
            {"path": ".".join(map(str, issue["loc"])), "message": issue["msg"], "code": issue["type"]}
            for issue in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidParams(f"{method.name}: {first_issue(error)}", issues) from error


def first_issue(error: ValidationError) -> str:
    """Where a value first does not fit, and how."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "value"
    return f"{where}: {first['msg']}"
