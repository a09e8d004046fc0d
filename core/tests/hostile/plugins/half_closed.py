"""Closes its standard output or its standard input and lives on."""

import json
import os
import signal
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method in ("stdout", "stdin"):
        print(f"closing {method}", file=sys.stderr, flush=True)
        os.close({"stdin": 0, "stdout": 1}[method])
        while True:
            signal.pause()
    say(number, HELLO if method == "initialize" else params)
