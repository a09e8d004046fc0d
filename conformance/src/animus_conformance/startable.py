"""Whether a command can be started at all, asked before anything is: a typing mistake is told in a second.

Nothing lies below.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from animus_conformance.errors import UsageMistake

__all__ = ["require_startable"]


def require_startable(command: Sequence[str]) -> None:
    """See that the program of a command is there and may be executed. Raises UsageMistake with what to do."""
    program = command[0]
    path = Path(program)
    if "/" not in program:
        if shutil.which(program) is None:
            hint = f"; for the file in this folder write ./{program}" if path.exists() else ""
            if path.is_dir():
                hint = f"; the folder {program} is here: install what is in it, for example: pip install -e ./{program}"
            raise UsageMistake(f"there is no program {program!r} on the PATH{hint}")
    elif not path.exists():
        raise UsageMistake(f"{program}: there is no such file")
    elif path.is_dir():
        raise UsageMistake(f"{program} is a folder; name the plugin's program, which its installation makes")
    elif not os.access(path, os.X_OK):
        raise UsageMistake(f"{program} may not be executed: chmod +x {program}, or name its interpreter before it")
