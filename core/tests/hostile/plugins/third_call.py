"""Crashes on the third call that it gets, while others wait."""

import json
import os
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


waiting = []

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "initialize":
        say(number, HELLO)
    elif method == "shutdown":
        say(number, {})
    elif method == "wait":
        waiting.append(number)
        if len(waiting) == 3:
            say(waiting[0], {"n": 0})
            print("assertion failed: 2 == 3", file=sys.stderr, flush=True)
            os.abort()
    else:
        say(number, params)
