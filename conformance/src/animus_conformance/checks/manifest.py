"""Checks of what `--manifest` printed (protocol §2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.kinds import Kind
from animus_conformance.patience import Patience
from animus_conformance.target.claims import Claims
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.manifest_probe import MAX_MANIFEST_BYTES, ManifestProbe
from animus_conformance.verdict import Failed, Unproven

__all__ = ["require_current_protocol"]

_MAJOR_1: Final = re.compile(r"1\.\d+\.\d+([-+].*)?")


@check("manifest.prints-one-object")
async def prints_one_object(patience: Patience, probe: ManifestProbe) -> None:
    """Looks at the output and the exit code of `--manifest`, run with an empty standard input."""
    if len(probe.output) > MAX_MANIFEST_BYTES:
        raise Failed("--manifest printed more than 1 MiB")
    if probe.exit_code is None:
        raise Failed(f"--manifest did not end within {patience.manifest_s:g} s")
    stderr = probe.stderr.decode(errors="replace")[-500:]
    if probe.exit_code != 0:
        raise Failed(f"--manifest ended with {probe.exit_code}; stderr: {stderr}")
    try:
        value = probe.value()
    except ValueError as error:
        raise Failed(f"--manifest printed no JSON ({error}): {probe.output[:200]!r}") from error
    if not isinstance(value, dict):
        raise Failed(f"--manifest printed no JSON object: {probe.output[:200]!r}")


@check("manifest.has-its-fields")
async def has_its_fields(claims: Claims) -> None:
    """Holds the manifest against PluginManifest."""
    _require_a_manifest(claims)
    wrong = oracle.mismatch("plugin#/$defs/PluginManifest", claims.manifest)
    if wrong is not None:
        raise Failed(wrong)


@check("manifest.names-a-current-protocol")
async def names_a_current_protocol(claims: Claims) -> None:
    """Looks at the major number of protocol_version."""
    _require_a_manifest(claims)
    require_current_protocol("the manifest", claims.manifest)


@check("manifest.is-of-this-kind")
async def is_of_this_kind(claims: Claims, kind: Kind) -> None:
    """Looks for the kind that the plugin is judged as among plugin_kind and plugin_kinds."""
    _require_a_manifest(claims)
    # One process may serve several kinds, and is judged as each of them.
    kinds = [claims.manifest.get("plugin_kind"), *(claims.manifest.get("plugin_kinds") or [])]
    if not isinstance(kinds[0], str):
        raise Unproven("the manifest has no plugin_kind")
    is_web_ui = kind.name == "web-ui" and "$ui/web" in (claims.manifest.get("capabilities") or [])
    if kind.name != "custom" and kind.plugin_kind not in kinds and not is_web_ui:
        raise Failed(f"it is a {kinds[0]} and was judged as {kind.plugin_kind}")


@check("manifest.is-stable")
async def is_stable(launcher: Launcher, claims: Claims, patience: Patience) -> None:
    """Asks a second time, from another folder with another home, and compares."""
    _require_a_manifest(claims)
    again = await launcher.probe_manifest()
    if again.exit_code is None:
        raise Unproven(f"the second time --manifest did not end within {patience.manifest_s:g} s")
    if again.manifest != claims.manifest:
        raise Failed(f"the second time it said {json.dumps(again.manifest):.300}")


def require_current_protocol(where: str, document: Mapping[str, Any]) -> None:
    """Raises Failed for a protocol_version of another major number, and Unproven where there is none."""
    version = document.get("protocol_version")
    if not isinstance(version, str):
        raise Unproven(f"{where} has no protocol_version")
    if not _MAJOR_1.fullmatch(version):
        raise Failed(f"protocol_version is {version!r}, and hosts speak 1.x.y")


def _require_a_manifest(claims: Claims) -> None:
    if not claims.manifest:
        raise Unproven("--manifest printed no JSON object")
