"""Who listens on a port, by the system's own table of sockets.

What a plugin says of it is not believed. Nothing lies below but /proc.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Final

__all__ = ["listening_hosts"]

_TABLES: Final = ((Path("/proc/net/tcp"), socket.AF_INET), (Path("/proc/net/tcp6"), socket.AF_INET6))
_LISTENS: Final = "0A"


def listening_hosts(port: int) -> set[str] | None:
    """The addresses on which somebody listens on `port`; None where the system has no such table."""
    tables = [(path, family) for path, family in _TABLES if path.exists()]
    if not tables:
        return None
    hosts = set()
    for path, family in tables:
        for line in path.read_text("ascii").splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, local_port = local.rpartition(":")
            if state == _LISTENS and int(local_port, 16) == port:
                hosts.add(_readable(bytes.fromhex(address), family))
    return hosts


def _readable(words: bytes, family: socket.AddressFamily) -> str:
    """The table holds an address as 32-bit words in the machine's own byte order."""
    if sys.byteorder == "little":  # within each word the bytes stand in reverse
        words = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    return socket.inet_ntop(family, words).removeprefix("::ffff:")
