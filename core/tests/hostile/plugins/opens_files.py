"""Opens files until it may not any more, and keeps them."""

import errno
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


kept = []

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "open":
        try:
            while len(kept) < 100_000:
                kept.append(os.open("/dev/null", os.O_RDONLY))
            params = {"opened": len(kept), "why": None}
        except OSError as error:
            params = {"opened": len(kept), "why": errno.errorcode[error.errno]}
    say(number, HELLO if method == "initialize" else params)
