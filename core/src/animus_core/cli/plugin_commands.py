"""`animus plugin list`.

Called by `main.py`; below lies the control client.
"""

from __future__ import annotations

import argparse

from animus_core.cli.output import Output, table
from animus_core.cli.session import scope_of, with_control
from animus_protocol.models.control import plugin as wire

__all__ = ["list_plugins"]


def list_plugins(args: argparse.Namespace, output: Output) -> int:
    """Print the plugins that were found, and why others cannot be used."""
    params = wire.PluginListParams(include_warnings=True)
    found = with_control(scope_of(args), lambda control: control.call(wire.PLUGIN_LIST, params))
    rows = [[one.name, one.kind, one.version, one.source or "", one.binary_path or ""] for one in found.plugins]

    def human() -> str:
        failures = [f"not usable: {one.message}" for one in found.warnings]
        if failures:
            failures.append("Run its program with --manifest by hand, or take it out (plugins.yaml, pip uninstall).")
        return "\n".join([table(["PLUGIN", "KIND", "VERSION", "FOUND IN", "PROGRAM"], rows), *failures])

    output.result(found.model_dump(mode="json", exclude_none=True), human)
    return 0
