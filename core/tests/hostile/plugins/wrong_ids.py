"""Answers ids that nobody asked for; `right` says whether the right one comes after them."""

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

    if method == "shutdown":
        say(number, {})
        break
    for wrong in (number + 1000, number - 1000, str(number), float(number) + 0.5, None, True, [number], {}, 2**70):
        say(wrong, {"n": -1})
    if method == "initialize" or params.get("right"):
        say(number, HELLO if method == "initialize" else params)
