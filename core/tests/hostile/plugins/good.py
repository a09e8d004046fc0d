"""The neighbour: a good plugin that takes 10 ms for each answer."""

import json
import select
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "good", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    if request["method"] == "echo":
        select.select([], [], [], 0.01)
    result = {"initialize": HELLO, "echo": request["params"], "health/check": {"status": "healthy"}}
    answer = {"jsonrpc": "2.0", "id": request["id"], "result": result.get(request["method"], {})}
    print(json.dumps(answer), flush=True)
    if request["method"] == "shutdown":
        break
