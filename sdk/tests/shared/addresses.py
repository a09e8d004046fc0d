"""Whether somebody listens at an address. Imports nothing of ours, like `raw_host.py`."""

from __future__ import annotations

import socket

__all__ = ["listens"]


def listens(address: str) -> bool:
    """Whether `address`, a `host:port`, accepts a connection now."""
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0
