"""python-lsp-jsonrpc, the server: an endpoint with a table of one method, on stdio."""

from __future__ import annotations

import sys
from typing import Any

from pylsp_jsonrpc.endpoint import Endpoint  # type: ignore[import-untyped]  # it ships no types
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter  # type: ignore[import-untyped]  # as above


def echo(params: Any) -> Any:
    """Give back what came."""
    return params


if __name__ == "__main__":
    endpoint = Endpoint({"bench/echo": echo}, JsonRpcStreamWriter(sys.stdout.buffer).write)
    JsonRpcStreamReader(sys.stdin.buffer).listen(endpoint.consume)
    endpoint.shutdown()
