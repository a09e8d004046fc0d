"""Reads nothing more after the handshake."""

import json
import signal
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


say(json.loads(sys.stdin.readline())["id"], HELLO)
while True:
    signal.pause()
