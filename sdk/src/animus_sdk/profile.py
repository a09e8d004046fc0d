"""What a plugin class tells of itself: the one source of `--manifest` and of the answer to `initialize`.

Nothing lies below, so that both can be told before any wire model is imported; the models are asked for all that is not
plain.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_protocol.version import PROTOCOL_VERSION
from animus_sdk.declarations import EnvRequirement
from animus_sdk.lazy_names import LazyModule

if TYPE_CHECKING:
    from animus_protocol.models import lifecycle, manifest
else:
    lifecycle = LazyModule("animus_protocol.models.lifecycle")
    manifest = LazyModule("animus_protocol.models.manifest")

__all__ = ["Offer", "Profile"]

_UINT64: Final = range(2**64)


class Offer(NamedTuple):
    """What the kind of a plugin serves."""

    methods: Sequence[str] = ()
    streaming: bool = False
    progress: bool = False
    subject_kinds: Sequence[str] = ()

    def capabilities(self, own: Sequence[str]) -> dict[str, Any]:
        """`initialize.capabilities` but for the tools, with the author's `own` methods."""
        fields: dict[str, Any] = {
            "methods": [*self.methods, *own],
            "streaming": self.streaming,
            "progress": self.progress,
            # The SDK itself answers `$/cancelRequest`, whatever the author writes.
            "cancellation": True,
        }
        if self.subject_kinds:
            fields["subject_kinds"] = [*self.subject_kinds]
        return fields


class Profile(NamedTuple):
    """A plugin class: its identity, what its kind serves, and the author's `own` methods and tools."""

    name: str
    version: str
    plugin_kind: str
    description: str
    offer: Offer
    own: Sequence[str]
    has_tools: bool
    env: Sequence[EnvRequirement]
    notification_buffer_size: int | None
    plugin_kinds: Sequence[str] = ()

    def manifest(self) -> manifest.PluginManifest:
        """What `--manifest` prints (protocol §2)."""
        return manifest.PluginManifest.model_validate(self._manifest())

    def manifest_json(self) -> bytes | None:
        """The manifest as JSON without any model; None where one has to look at it."""
        size = self.notification_buffer_size
        sized = size is None or (type(size) is int and size in _UINT64)
        if not sized or not all(variable.is_sound for variable in self.env) or not self._is_plain(self.description):
            return None
        return json.dumps(self._manifest(), ensure_ascii=False, separators=(",", ":")).encode()

    def info(self) -> lifecycle.PluginInfo:
        """`initialize.plugin_info`."""
        return lifecycle.PluginInfo.model_validate(self._info())

    def initialized(self) -> dict[str, object] | None:
        """The answer to `initialize` as JSON without any model; None where one has to look at it."""
        flags = {type(self.offer.streaming), type(self.offer.progress)}
        if self.has_tools or flags != {bool} or not self._is_plain(self.description or ""):
            return None
        return {
            "protocol_version": PROTOCOL_VERSION,
            "plugin_info": self._info(),
            "capabilities": self.offer.capabilities(self.own),
        }

    def _manifest(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "plugin_kind": self.plugin_kind,
            "description": self.description,
            "protocol_version": PROTOCOL_VERSION,
            "plugin_kinds": [*self.plugin_kinds],
            "capabilities": [
                *self.offer.methods,
                *self.own,
                *(f"subject_kind:{kind}" for kind in self.offer.subject_kinds),
            ],
            "env_required": [
                {name: value for name, value in variable._asdict().items() if value is not None}
                for variable in self.env
            ],
            "notification_buffer_size": self.notification_buffer_size,
            "supports_mcp": True if self.has_tools else None,
        }
        # As the models write it: capabilities always, another list only with something in it.
        return {name: value for name, value in fields.items() if value not in (None, []) or name == "capabilities"}

    def _info(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"name": self.name, "version": self.version, "plugin_kind": self.plugin_kind}
        if self.plugin_kinds:
            fields["plugin_kinds"] = [*self.plugin_kinds]
        if self.description:
            fields["description"] = self.description
        return fields

    def _is_plain(self, description: object) -> bool:
        """Whether all texts are texts: only then a model has nothing to object to."""
        texts = (self.name, self.version, self.plugin_kind, description, *self.plugin_kinds)
        return all(type(text) is str for text in (*texts, *self.offer.methods, *self.own, *self.offer.subject_kinds))
