"""What plugin authors import: role base classes, the context of a call, errors, and `serve`.

    from animus_sdk import Provider, serve

Importing it stays cheap: a name is imported when it is first used, and a wire model is built when it is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from animus_protocol.models.manifest import EnvRequirement
    from animus_sdk.errors import InvalidInput, NotFound, PluginError, Unavailable, Unsupported
    from animus_sdk.plugin import Plugin
    from animus_sdk.process import serve
    from animus_sdk.provider import Context, Provider
    from animus_sdk.subject import SubjectBackend

__all__ = [
    "Context",
    "EnvRequirement",
    "InvalidInput",
    "NotFound",
    "Plugin",
    "PluginError",
    "Provider",
    "SubjectBackend",
    "Unavailable",
    "Unsupported",
    "serve",
]

_HOMES: Final = {
    "Context": "animus_sdk.provider",
    "EnvRequirement": "animus_protocol.models.manifest",
    "InvalidInput": "animus_sdk.errors",
    "NotFound": "animus_sdk.errors",
    "Plugin": "animus_sdk.plugin",
    "PluginError": "animus_sdk.errors",
    "Provider": "animus_sdk.provider",
    "SubjectBackend": "animus_sdk.subject",
    "Unavailable": "animus_sdk.errors",
    "Unsupported": "animus_sdk.errors",
    "serve": "animus_sdk.process",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
