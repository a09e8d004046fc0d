"""What plugin authors import: role base classes, the context of a call, errors, and `serve`.

    from animus_sdk import Provider, serve

Importing it stays cheap: wire models are built when they are first used.
"""

from animus_protocol.models.manifest import EnvRequirement
from animus_sdk.errors import InvalidInput, NotFound, PluginError, Unavailable, Unsupported
from animus_sdk.plugin import Plugin
from animus_sdk.provider import Context, Provider
from animus_sdk.serve import serve
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
