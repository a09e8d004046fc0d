"""Answers the requests 2 to 1,000 before anybody has asked."""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


first = json.loads(sys.stdin.readline())
for number in range(2, 1000):
    say(number, {"n": -1})
say(first["id"], HELLO)

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    say(number, params)
