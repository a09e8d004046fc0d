"""Keeps the wire clean: stdout belongs to the SDK, and what authors print goes to stderr.

It has to be done before any author's code runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import NamedTuple

__all__ = ["PrivateWire", "take_stdio"]


class PrivateWire(NamedTuple):
    """Private descriptors of the connection to the host."""

    read_fd: int
    write_fd: int


def take_stdio() -> PrivateWire:
    """Move stdin and stdout to private descriptors; fd 0 becomes empty and fd 1 points at stderr.

    Children inherit neither of the private ones, forked ones (multiprocessing) included, so a grandchild cannot hold
    the wire open. What is printed appears on stderr line by line.
    """
    sys.stdout.flush()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe is buffered in blocks: what is printed would appear at the end, or not at all after a crash.
        sys.stdout.reconfigure(line_buffering=True)
    # `os.dup` makes descriptors that programs do not inherit; `dup2` onto 0 and 1, below, makes some that they do.
    read_fd, write_fd = os.dup(0), os.dup(1)
    # Left open, `input()` in the author's code would read a part of the next request.
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    wire = PrivateWire(read_fd, write_fd)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _drop(wire))
    return wire


def _drop(wire: PrivateWire) -> None:
    for fd in wire:
        with contextlib.suppress(OSError):
            os.close(fd)
