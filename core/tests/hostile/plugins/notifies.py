"""Sends notifications as fast as it can, and answers meanwhile."""

import json
import sys
import threading

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}

lock = threading.Lock()


def write(value):
    with lock:
        sys.stdout.write(json.dumps(value) + "\n")
        if "id" in value:
            sys.stdout.flush()


def flood(number, count):
    for tick in range(count):
        write({"jsonrpc": "2.0", "method": "tick", "params": {"n": tick}})
    write({"jsonrpc": "2.0", "id": number, "result": {"sent": count}})


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "flood":
        threading.Thread(target=flood, args=(number, params["count"])).start()
    else:
        write({"jsonrpc": "2.0", "id": number, "result": HELLO if method == "initialize" else params})
