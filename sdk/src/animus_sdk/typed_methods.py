"""Methods and tools of the author's own: a function's type hints become the params on the wire.

Below it lies pydantic, which is asked only when a plugin starts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, get_type_hints

from animus_sdk.lazy_names import LazyModule

if TYPE_CHECKING:
    from animus_protocol.models import base, lifecycle
else:
    base = LazyModule("animus_protocol.models.base")
    lifecycle = LazyModule("animus_protocol.models.lifecycle")

__all__ = ["TypedMethod", "arguments_of", "method", "method_of", "methods_in", "mistakes_in", "tool", "tool_of"]

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK: Final = "__animus_method__"
_LIFE_CYCLE: Final = frozenset({"initialize", "initialized", "shutdown", "exit", "health/check"})
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class _Mark(NamedTuple):
    name: str
    is_tool: bool


class TypedMethod(NamedTuple):
    """A marked function of a plugin class."""

    name: str
    is_tool: bool
    attribute: str
    function: Callable[..., Any]


@cache
def _params_base() -> type[base.WireModel]:
    """The base of what is made of a signature: field `arg_0` is the first parameter, under its own name on the wire.

    So a parameter may have any name, also one that a model has for itself.
    """

    class Params(base.WireModel):
        pass

    return Params


def method(name: str) -> Callable[[_F], _F]:
    """Serve this function as the method `name` ("vendor/verb"); its parameters are the params, by their names.

    A function with one parameter of a WireModel gets the whole params as that model. Raises TypeError without a name.
    """
    if not isinstance(name, str):
        raise TypeError('@method needs the name of the method: write @method("vendor/verb")')

    def mark(function: _F) -> _F:
        setattr(function, _MARK, _Mark(name, is_tool=False))
        return function

    return mark


def tool(function: _F) -> _F:
    """Serve this function as a method and as a tool that the host offers to agents, under the function's name.

    The tool's description is the docstring, its input schema comes from the type hints.
    """
    setattr(function, _MARK, _Mark(function.__name__, is_tool=True))
    return function


def methods_in(cls: type) -> Sequence[TypedMethod]:
    """The marked functions of `cls`, those of its bases included, in the order of their attributes' names."""
    # Statically: to read each attribute would make the defaults that are only made when they are read.
    attributes: dict[str, object] = {}
    for base_class in reversed(cls.__mro__):
        attributes.update(vars(base_class))
    found = []
    for attribute, value in sorted(attributes.items()):
        function = value.__func__ if isinstance(value, staticmethod) else value
        if isinstance(function, FunctionType) and (mark := getattr(function, _MARK, None)) is not None:
            found.append(TypedMethod(mark.name, mark.is_tool, attribute, function))
    return found


def mistakes_in(cls: type, taken: Collection[str]) -> Sequence[str]:
    """What is wrong with the marked functions of `cls`, as sentences; `taken` are the methods of the kind itself."""
    mistakes, seen = _without_self(cls), set()
    for typed in methods_in(cls):
        where = f"{cls.__name__}.{typed.attribute}"
        if typed.name in seen:
            mistakes.append(f"{where}: another function is marked as {typed.name!r}, too")
        if typed.name in taken or typed.name in _LIFE_CYCLE or typed.name.startswith("$"):
            mistakes.append(f"{where}: {typed.name!r} is a method of the protocol: choose another name")
        seen.add(typed.name)
        for name, parameter in _parameters(typed.function).items():
            if parameter.kind in _VARIADIC:
                mistakes.append(f"{where}: {name} cannot be read from params: write plain parameters")
            elif parameter.annotation is inspect.Parameter.empty:
                mistakes.append(f"{where}: the parameter {name} has no type: write {name}: str, or what it is")
    return mistakes


def _without_self(cls: type) -> list[str]:
    """Marked functions that are none of the object's own."""
    return [
        f"{cls.__name__}.{attribute} is a static method or a class method: take that off, and write self first"
        # Statically: `getattr` gives the function behind the decorator, and the mistake could not be seen.
        for attribute, value in inspect.getmembers_static(cls)
        if isinstance(value, (staticmethod, classmethod)) and (hasattr(value, _MARK) or hasattr(value.__func__, _MARK))
    ]


def method_of(typed: TypedMethod) -> base.Method[Any, Any]:
    """The row of the method table."""
    return base.Method(typed.name, _params_model(typed.function), object, "the plugin's own")


def tool_of(typed: TypedMethod) -> lifecycle.McpTool:
    """The tool as `initialize` describes it."""
    schema = _params_model(typed.function).model_json_schema()
    for word in ("title", "description"):
        schema.pop(word, None)
    return lifecycle.McpTool(name=typed.name, description=inspect.getdoc(typed.function), input_schema=schema)


def arguments_of(method: base.Method[Any, Any]) -> Callable[[base.WireModel], Sequence[Any]]:
    """What the function behind `method` is called with, out of params that were read."""
    if not issubclass(method.params, _params_base()):
        return lambda params: (params,)
    names = tuple(method.params.model_fields)
    return lambda params: [getattr(params, name) for name in names]


def _params_model(function: Callable[..., Any]) -> type[base.WireModel]:
    from pydantic import Field, create_model  # --manifest asks for no model

    hints = get_type_hints(function, include_extras=True)
    parameters = _parameters(function)
    whole = hints.get(next(iter(parameters), ""))
    if len(parameters) == 1 and isinstance(whole, type) and issubclass(whole, base.WireModel):
        return whole
    fields: dict[str, Any] = {}
    for number, (name, parameter) in enumerate(parameters.items()):
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[f"arg_{number}"] = (hints[name], Field(default, alias=name))
    return create_model(function.__name__, __base__=_params_base(), **fields)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return dict([*inspect.signature(function).parameters.items()][1:])  # without self
