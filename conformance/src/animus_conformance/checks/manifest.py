"""Checks of what `--manifest` printed (protocol §2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.manifest_probe import MAX_MANIFEST_BYTES, probe_manifest
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, Unproven

__all__ = ["require_current_protocol"]

_MAJOR_1: Final = re.compile(r"1\.\d+\.\d+([-+].*)?")


@check("manifest.prints-one-object")
async def prints_one_object(plugin: PluginUnderTest) -> None:
    """Looks at the output and the exit code of `--manifest`, run with an empty standard input."""
    probe = plugin.probe
    if len(probe.output) > MAX_MANIFEST_BYTES:
        raise Failed("--manifest printed more than 1 MiB")
    if probe.exit_code is None:
        raise Failed(f"--manifest did not end within {plugin.patience.manifest_s:g} s")
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
async def has_its_fields(plugin: PluginUnderTest) -> None:
    """Holds the manifest against PluginManifest."""
    _require_a_manifest(plugin)
    wrong = oracle.mismatch("plugin#/$defs/PluginManifest", plugin.manifest)
    if wrong is not None:
        raise Failed(wrong)


@check("manifest.names-a-current-protocol")
async def names_a_current_protocol(plugin: PluginUnderTest) -> None:
    """Looks at the major number of protocol_version."""
    _require_a_manifest(plugin)
    require_current_protocol("the manifest", plugin.manifest)


@check("manifest.is-of-this-kind")
async def is_of_this_kind(plugin: PluginUnderTest) -> None:
    """Looks for the kind that the plugin is judged as among plugin_kind and plugin_kinds."""
    _require_a_manifest(plugin)
    kinds = [plugin.manifest.get("plugin_kind"), *(plugin.manifest.get("plugin_kinds") or [])]
    if not isinstance(kinds[0], str):
        raise Unproven("the manifest has no plugin_kind")
    is_web_ui = plugin.kind.name == "web-ui" and "$ui/web" in (plugin.manifest.get("capabilities") or [])
    if plugin.kind.name != "custom" and plugin.kind.plugin_kind not in kinds and not is_web_ui:
        raise Failed(f"it is a {kinds[0]} and was judged as {plugin.kind.plugin_kind}")


@check("manifest.is-stable")
async def is_stable(plugin: PluginUnderTest) -> None:
    """Asks a second time, from another folder with another home, and compares."""
    _require_a_manifest(plugin)
    project = await plugin.project()
    again = await probe_manifest(plugin.command, project, plugin.environment(project), plugin.patience.manifest_s)
    if again.exit_code is None:
        raise Unproven(f"the second time --manifest did not end within {plugin.patience.manifest_s:g} s")
    if again.manifest != plugin.manifest:
        raise Failed(f"the second time it said {json.dumps(again.manifest):.300}")


def require_current_protocol(where: str, told: Mapping[str, Any]) -> None:
    """Raises Failed for a protocol_version of another major number, and Unproven where there is none."""
    version = told.get("protocol_version")
    if not isinstance(version, str):
        raise Unproven(f"{where} has no protocol_version")
    if not _MAJOR_1.fullmatch(version):
        raise Failed(f"protocol_version is {version!r}, and hosts speak 1.x.y")


def _require_a_manifest(plugin: PluginUnderTest) -> None:
    if not plugin.manifest:
        raise Unproven("--manifest printed no JSON object")
