"""The plugin's command, made fit for a process that runs in another folder.

Nothing lies below.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["command_from"]


def command_from(command: Sequence[str], folder: Path) -> list[str]:
    """`command` for a process that runs elsewhere: arguments that name a file below `folder` become absolute.

    A bare program name that is not on the PATH is looked up beside this interpreter, where console scripts of its
    environment are.
    """
    # Every process starts in a project folder of its own, where what the person typed would name nothing.
    program, *arguments = command
    beside = Path(sys.executable).parent / program
    if "/" not in program and shutil.which(program) is None and os.access(beside, os.X_OK):
        program = str(beside)
    return [
        _absolute(program, folder) if "/" in program else program,
        *(_absolute(argument, folder) for argument in arguments),
    ]


def _absolute(argument: str, folder: Path) -> str:
    path = folder / argument
    return str(path.absolute()) if not argument.startswith("-") and _is_file(path) else argument


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a program text of `-c` is too long for a name
        return False
