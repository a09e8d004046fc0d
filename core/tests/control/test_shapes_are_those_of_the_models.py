"""What commands read as plain JSON has the names, the types and the gaps of the protocol's models."""

from __future__ import annotations

import types
from enum import Enum
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from animus_core.control import methods, shapes
from animus_core.control.methods import ControlMethod
from animus_protocol.methods import CONTROL_METHODS
from animus_protocol.models.common import Acknowledged

ROWS = {name: row for name, row in vars(methods).items() if isinstance(row, ControlMethod)}
WRITTEN = {
    name: text.removeprefix("Final[").removesuffix("]") for name, text in vars(methods)["__annotations__"].items()
}
NAMES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", AwareDatetime: "string"}


def shape_types(name: str) -> tuple[Any, Any]:
    """The shapes of the params and of the answer of a row."""
    # The module does not import the shapes, and `Final` is no type that could be evaluated.
    row = eval(WRITTEN[name], vars(methods) | {"shapes": shapes})  # noqa: S307 - an annotation of our own
    params, answer = get_args(row)
    return params, answer


def json_of(hint: Any, *, writes: bool) -> object:
    """What a type is in JSON: names for scalars, a tuple for lists and maps, a dict with each field's presence.

    `writes`: the type is that of an answer, whose fields without a value are left out.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Annotated, NotRequired, Required):
        return json_of(arguments[0], writes=writes)
    if origin in (Union, types.UnionType):
        found = {repr(part): part for part in (json_of(argument, writes=writes) for argument in arguments)}
        found.pop(repr("null"), None) if writes else None
        return next(iter(found.values())) if len(found) == 1 else tuple(sorted(found))
    if origin is list:
        return ("array", json_of(arguments[0], writes=writes))
    if origin is dict:
        return ("object", json_of(arguments[1], writes=writes))
    if hint is Any:
        return "anything"
    if is_typeddict(hint):
        return {
            name: (get_origin(field) is not NotRequired, json_of(field, writes=writes))
            for name, field in get_type_hints(hint, vars(shapes), include_extras=True).items()
        }
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return {
            name: (is_present(field, writes=writes), json_of(field.annotation, writes=writes))
            for name, field in hint.model_fields.items()
        }
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "string"
    return NAMES[hint]


def is_present(field: FieldInfo, *, writes: bool) -> bool:
    """Whether a reader of an answer finds the field, or a writer of params has to give it."""
    if not writes:
        return field.is_required()
    # A null that the model demands is a value (`KeepsNull`).
    optional = type(None) in get_args(field.annotation) or (field.default is None and not field.is_required())
    return not optional and field.exclude_if is None


@pytest.mark.parametrize("name", ROWS)
def test_an_answer_is_read_as_the_daemon_writes_it(name: str) -> None:
    model = CONTROL_METHODS[ROWS[name].name].result
    expected = {} if model is Acknowledged else json_of(model, writes=True)
    assert json_of(shape_types(name)[1], writes=True) == expected


@pytest.mark.parametrize("name", ROWS)
def test_params_are_those_that_the_daemon_takes(name: str) -> None:
    asked, taken = (
        json_of(kind, writes=False) for kind in (shape_types(name)[0], CONTROL_METHODS[ROWS[name].name].params)
    )
    assert nullable(asked) == nullable(taken)


def nullable(fields: object) -> object:
    """Params without null: whoever asks leaves such a field out."""
    if isinstance(fields, dict):
        return {name: (present, nullable(kind)) for name, (present, kind) in fields.items()}
    if isinstance(fields, tuple) and fields[0] not in ("array", "object"):
        left = [part for part in fields if part != "'null'"]
        return left[0] if len(left) == 1 else tuple(left)
    return fields if isinstance(fields, tuple) else repr(fields)


@pytest.mark.parametrize("name", ["DAEMON_EVENT", "SUBJECT_CHANGED", "SUBSCRIPTION_CLOSED"])
def test_notifications_have_the_protocols_names(name: str) -> None:
    method = CONTROL_METHODS[getattr(methods, name)]
    assert method.result is None


@pytest.mark.parametrize("name", ROWS)
def test_what_is_looked_for_in_an_answer_is_what_every_answer_has(name: str) -> None:
    answer = shape_types(name)[1]
    fields = {} if answer is shapes.Subject else json_of(answer, writes=True)  # it may be wrapped
    always = {field for field, (present, _) in fields.items() if present} if isinstance(fields, dict) else set()
    assert {*ROWS[name].always} == always
