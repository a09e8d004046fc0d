"""python-lsp-jsonrpc: threads and futures, untyped, over stdio."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import Any, Final

from pylsp_jsonrpc.endpoint import Endpoint  # type: ignore[import-untyped]  # it ships no types
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter  # type: ignore[import-untyped]  # as above

from contenders.cells import orders, repeat, report, same
from contenders.in_flight import repeat_in_flight
from contenders.payload import fields

TIMEOUT_S: Final = 30.0


def main() -> None:
    """Serve the cells of python-lsp-jsonrpc."""
    command = [sys.executable, "-m", "contenders.lsp_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        endpoint = Endpoint({}, JsonRpcStreamWriter(child.stdin).write)
        listening = threading.Thread(target=JsonRpcStreamReader(child.stdout).listen, args=(endpoint.consume,))
        listening.start()

        def ask() -> Future[Any]:
            future: Future[Any] = endpoint.request("bench/echo", fields())
            return future

        same(fields(), ask().result(TIMEOUT_S))
        for order in orders(("sequential", "concurrent")):
            if order.cell == "sequential":
                report(repeat(lambda: ask().result(TIMEOUT_S), order.seconds))
            else:
                report(repeat_in_flight(ask, order.seconds))
        if child.stdin is not None:
            child.stdin.close()
        listening.join(TIMEOUT_S)
        endpoint.shutdown()


if __name__ == "__main__":
    main()
