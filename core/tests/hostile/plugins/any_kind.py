"""A good plugin of whatever kind its argument says; every method answers with its params."""

import json
import sys

HELLO = {
    "protocol_version": "1.1.0",
    "plugin_info": {"name": "any", "version": "1", "plugin_kind": sys.argv[1]},
    "capabilities": {"methods": ["echo"]},
}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = HELLO if request["method"] == "initialize" else request["params"]
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
    if request["method"] == "shutdown":
        break
