"""How a process of the core itself is started so that nothing in the folder where it stands becomes part of it.

The folder may be a hostile repository, and Python would put the working directory before its own library for `-m` (docs
of `-P`), and also for an empty or relative part of `PYTHONPATH`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

__all__ = ["core_command", "core_python_environment"]


def core_command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs one of the core's modules with this Python; give it `core_python_environment`."""
    # sys.executable and no name in PATH: the same Python, and no version manager's shim (125 ms when measured).
    return [sys.executable, "-P", "-m", module, *arguments]


def core_python_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with only the absolute parts of its `PYTHONPATH`."""
    kept = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(part)]
    made = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    return {**made, "PYTHONPATH": os.pathsep.join(kept)} if kept else made
