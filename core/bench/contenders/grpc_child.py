"""grpcio, the server: one unary method on a Unix socket whose path is the argument; bytes in, bytes out."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]  # it ships no types


def echo(request: bytes, context: Any) -> bytes:
    """Give back what came."""
    return request


def main(address: str) -> None:
    """Serve until the end of input."""
    server = grpc.server(ThreadPoolExecutor(max_workers=10))
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bench", methods),))
    server.add_insecure_port(address)
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(grace=None).wait()


if __name__ == "__main__":
    main(sys.argv[1])
