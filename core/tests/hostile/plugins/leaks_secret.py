"""Prints the value of its secret variable wherever it can."""

import json
import os
import select
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


SECRET = os.environ["DEMO_CREDENTIAL_FILE"]

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "stderr":
        print(f"connecting as admin:{SECRET}@example", file=sys.stderr, flush=True)
        print("x" * (1990 - params["shift"]) + SECRET + "y" * params["rest"], file=sys.stderr, flush=True)
    elif method == "halves":  # of a line that is longer than anybody keeps
        sys.stderr.write("x" * 1980 + SECRET[:30])
        sys.stderr.flush()
        select.select([], [], [], 0.1)
        print(SECRET[30:], file=sys.stderr, flush=True)
    elif method == "log":
        entry = {"level": "info", "message": f"key is {SECRET}", "fields": {"key": SECRET}}
        print(json.dumps({"jsonrpc": "2.0", "method": "log/entry", "params": entry}))
    elif method == "stdout":
        print(f"my key is {SECRET}")
    elif method == "die":
        print(f"cannot log in with {SECRET}", end="", file=sys.stderr, flush=True)
        os._exit(1)
    say(number, HELLO if method == "initialize" else params)
