"""grpcio: a channel on a Unix socket; it carries the payload as bytes, so it is spared the JSON and the types."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # it ships no types

from contenders.cells import orders, repeat, report, same
from contenders.in_flight import repeat_in_flight
from contenders.payload import fields

TIMEOUT_S: Final = 30.0


def main() -> None:
    """Serve the cells of grpcio."""
    payload = json.dumps(fields()).encode()
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        address = f"unix:{Path(folder) / 'echo.sock'}"
        command = [sys.executable, "-m", "contenders.grpc_child", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            if child.stdin is None or child.stdout is None:
                raise RuntimeError("no pipes")
            child.stdout.readline()
            with grpc.insecure_channel(address) as channel:
                _serve(channel.unary_unary("/bench.Bench/Echo"), payload)
            child.stdin.close()


def _serve(echo: Any, payload: bytes) -> None:
    same(payload, echo(payload, timeout=TIMEOUT_S))
    for order in orders(("sequential", "concurrent")):
        if order.cell == "sequential":
            report(repeat(lambda: echo(payload, timeout=TIMEOUT_S), order.seconds))
        else:
            report(repeat_in_flight(lambda: echo.future(payload, timeout=TIMEOUT_S), order.seconds))


if __name__ == "__main__":
    main()
