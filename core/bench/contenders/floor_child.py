"""FLOOR, the child: blocking, untyped, `json`; answers `echo` and tells `amount` notes when asked to `emit`."""

from __future__ import annotations

import json
import sys
from typing import Any

from contenders.payload import KIND, TEXT


def main() -> None:
    """Answer one line after the other until the end of input."""
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        if request["method"] == "emit":
            _emit(request["params"]["amount"])
        _send({"jsonrpc": "2.0", "id": request["id"], "result": request["params"]})


def _emit(amount: int) -> None:
    for number in range(amount):
        params = {"number": number, "kind": KIND, "text": TEXT}
        _send({"jsonrpc": "2.0", "method": "note", "params": params})


def _send(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
