"""The plugins of this Python environment: console scripts that entry points of `animus.plugins` name.

Below it lies the standard library. Nothing is ever imported from a plugin: what an entry point names is a program to
start. Whoever installed it into the core's own environment has trusted it.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

__all__ = ["GROUP", "installed_scripts"]

GROUP: Final = "animus.plugins"


def installed_scripts() -> list[tuple[str, str]]:
    """Name and program of each, sorted by name."""
    # Not resolved: in a virtual environment that is a link, and the scripts lie beside the link.
    scripts = Path(sys.executable).parent
    return [(point.name, str(scripts / point.name)) for point in sorted(entry_points(group=GROUP))]
