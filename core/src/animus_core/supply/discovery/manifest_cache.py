"""Manifests by fingerprint, so that a plugin which did not change is not started to say who it is.

Below lie the cache folder and the models. Only good manifests are kept, and only of plugins whose code was the same
before and after they were asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from animus_core.store.caches import cache_folder, read_cached, write_cached
from animus_core.supply.discovery.manifest import NotAPlugin, read_manifest
from animus_protocol.models.base import encode
from animus_protocol.models.manifest import PluginManifest

__all__ = ["ManifestCache"]

_VERSION: Final = 1  # of the file's shape: another one is no entry, and is written anew
_MAX_BYTES: Final = 2 << 20  # a manifest of 1 MiB, in JSON that may be longer than what was printed


class ManifestCache:
    """Manifests in a folder, one file each; without a folder it is empty and stays so."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def open(cls, config_dir: Path, env: Mapping[str, str] = os.environ) -> ManifestCache:
        """The operator's cache; an empty one when ANIMUS_DISABLE_MANIFEST_CACHE is set."""
        if env.get("ANIMUS_DISABLE_MANIFEST_CACHE"):
            return cls(None)
        return cls(cache_folder(config_dir, "manifests", env))

    def get(self, digest: str) -> PluginManifest | None:
        """The manifest of the plugin with this fingerprint, if it is known and of a protocol that this host speaks."""
        if self._folder is None:
            return None
        kept = read_cached(self._folder / f"{digest}.json", _MAX_BYTES)
        if kept.get("v") != _VERSION or kept.get("digest") != digest:
            return None
        try:
            # Read like an answer of the plugin: after an upgrade of this host the protocol may not fit any more.
            return read_manifest(encode(kept.get("manifest")))
        except NotAPlugin:
            return None

    def put(self, digest: str, manifest: PluginManifest) -> None:
        """Keep `manifest`; the oldest ones make room."""
        if self._folder is not None:
            kept = manifest.model_dump(mode="json", exclude_none=True)
            write_cached(self._folder / f"{digest}.json", {"v": _VERSION, "digest": digest, "manifest": kept})
