"""Speaks the version of the protocol that its argument says."""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


HELLO["protocol_version"] = sys.argv[1]

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    print("compiled long ago", file=sys.stderr, flush=True)
    say(number, HELLO if method == "initialize" else params)
