"""FLOOR: a blocking host and a blocking child with untyped `json`, and a bare interpreter to compare spawns with."""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter
from typing import Any, Final

from contenders.cells import Order, Sample, Wrong, orders, repeat, report, same
from contenders.payload import fields

CELLS: Final = ("sequential", "notifications", "big_frames", "spawn")


class Floor:
    """The plainest host that works."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("no pipes")
        self._writer, self._reader = child.stdin, child.stdout
        self._number = 0
        self._payload = fields()

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Ask and read on until the answer; notes before it are counted."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self._writer.write(json.dumps(request).encode() + b"\n")
        self._writer.flush()
        notes = 0
        while "id" not in (message := json.loads(self._reader.readline())):
            notes += 1
        if notes != params.get("amount", 0):
            raise Wrong(f"{notes} notifications instead of {params['amount']}")
        return message["result"]

    def echo(self) -> Any:
        """One round trip of the payload."""
        return self.call("echo", self._payload)

    def run(self, order: Order) -> Sample:
        """One cell."""
        match order.cell:
            case "sequential":
                return repeat(self.echo, order.seconds)
            case "notifications":
                began = perf_counter()
                self.call("emit", {"amount": order.amount})
                return Sample(order.amount, perf_counter() - began)
            case "big_frames":
                return self._big_frames(order)
            case _:
                return _spawn_bare(order.seconds)

    def _big_frames(self, order: Order) -> Sample:
        big = {**fields(), "text": "b" * order.amount}
        count, began = 0, perf_counter()
        while perf_counter() < began + order.seconds:
            if len(self.call("echo", big)["text"]) != order.amount:
                raise Wrong("a big frame came back with another size")
            count += 1
        return Sample(count, perf_counter() - began)


def _spawn_bare(seconds: float) -> Sample:
    count, began = 0, perf_counter()
    while perf_counter() < began + seconds:
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        count += 1
    return Sample(count, perf_counter() - began)


def main() -> None:
    """Serve the cells of FLOOR."""
    command = [sys.executable, "-m", "contenders.floor_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        floor = Floor(child)
        same(fields(), floor.echo())
        for order in orders(CELLS):
            report(floor.run(order))


if __name__ == "__main__":
    main()
