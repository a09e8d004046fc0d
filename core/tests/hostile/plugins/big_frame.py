"""Answers with 64 MiB, as one frame or as a line that never ends."""

import json
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

    if method in ("big", "endless"):
        sys.stdout.write(f'{{"jsonrpc": "2.0", "id": {number}, "result": {{"text": "')
        for _ in range(64):
            sys.stdout.write("x" * 2**20)
        if method == "big":
            sys.stdout.write('"}}\n')
        else:
            sys.stdout.write("\n")
        sys.stdout.flush()
        continue
    say(number, HELLO if method == "initialize" else params)
