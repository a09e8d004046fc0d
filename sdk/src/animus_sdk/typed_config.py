"""The type of a plugin's configuration, taken from the class header: `class Files(TriggerBackend[FilesConfig])`.

In quotes it is looked up with the first configuration: by the names of the module, or by its whole path, which is
imported then (`TriggerBackend["my_plugin.config.FilesConfig"]`), so that a start needs no model.

Below it lies pydantic.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any, ForwardRef, TypeVar, get_args, get_origin, get_type_hints

from animus_protocol.errors import InvalidParams

__all__ = ["config_type", "read_config"]

_T = TypeVar("_T")


def config_type(cls: type, role: type) -> Any:
    """What stands in the brackets behind `role` in the header of `cls` or of a base; Any when nothing does."""
    for base in cls.__mro__:
        for header in getattr(base, "__orig_bases__", ()):
            origin = get_origin(header)
            if isinstance(origin, type) and issubclass(origin, role):
                argument = get_args(header)[0]
                # A base of the author's may be generic itself: then a class before it says the type.
                if isinstance(argument, ForwardRef):
                    return _named_by(argument, vars(sys.modules[base.__module__]))
                if not isinstance(argument, TypeVar):
                    return argument
    return Any


def _named_by(quoted: ForwardRef, names: dict[str, Any]) -> Any:
    path = quoted.__forward_arg__
    if path.replace(".", "").isidentifier() and path.partition(".")[0] not in names:
        return resolve_name(path)
    header = SimpleNamespace(__annotations__={"config": quoted})
    return get_type_hints(header, globalns=names, include_extras=True)["config"]


def read_config(kind: type[_T], raw: Any, where: str) -> _T:
    """`raw` as a value of `kind`; None reads as `{}`. Raises InvalidParams that names `where` and the field."""
    from pydantic_core import ValidationError

    from animus_protocol.reading import first_issue, read_value  # with pydantic: no host has asked for it before

    try:
        return read_value(kind, {} if raw is None else raw)
    except ValidationError as error:
        raise InvalidParams(f"{where}: {first_issue(error)}") from error
