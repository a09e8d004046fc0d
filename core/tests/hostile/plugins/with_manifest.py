"""A good plugin that has its manifest in its own file, where it can be changed between probe and start.

It is copied to a place where no file stands beside it, so it imports nothing of this folder.
"""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


if "--manifest" in sys.argv:
    manifest_fields = {"version": "1.0.0", "capabilities": ["echo"]}
    print(json.dumps({**HELLO["plugin_info"], **manifest_fields, "description": "d", "protocol_version": "1.0.0"}))
    sys.exit()

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    say(number, HELLO if method == "initialize" else params)
    if method == "shutdown":
        break
