"""Prints the value of its secret variable wherever it can."""

import json
import os
import select
import sys

from plain import HELLO, requests, say

SECRET = os.environ["DEMO_CREDENTIAL_FILE"]

for number, method, params in requests():
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
