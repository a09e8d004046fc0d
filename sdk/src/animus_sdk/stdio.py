"""Keeps the wire clean: stdout belongs to the SDK, and what authors print goes to stderr.

Called by `serve.py` before any author's code runs.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

__all__ = ["Wire", "take_stdio"]


class Wire(NamedTuple):
    """Private descriptors of the connection to the host."""

    read_fd: int
    write_fd: int


def take_stdio() -> Wire:
    """Move stdin and stdout to private descriptors; fd 0 becomes empty and fd 1 points at stderr.

    Children inherit neither of the private ones, so a grandchild cannot hold the wire open.
    """
    sys.stdout.flush()
    read_fd, write_fd = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return Wire(read_fd, write_fd)
