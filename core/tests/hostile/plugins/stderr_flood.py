"""Writes 50 MB to stderr before it answers: short lines, then one line that never ends."""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


ENDLESS = len(sys.argv) > 1

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "flood":
        piece = "x" * 1_000_000 if ENDLESS else "noise\n" * 160_000
        for _ in range(50):
            sys.stderr.write(piece)
        sys.stderr.flush()
    say(number, HELLO if method == "initialize" else params)
