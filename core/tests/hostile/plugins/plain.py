"""What the plugins of this folder share: a greeting, an answer, the requests one by one; no SDK."""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    """Answer a request."""
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


def requests():
    """The number, the method and the params of each request, until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            yield request["id"], request["method"], request["params"]
