"""Leaves in the middle of a reply: no end of the value, no newline."""

import json
import sys

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "half":
        sys.stderr.write("the disk is full\n")
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": {"n": 1}})[:-10])
        sys.stdout.flush()
        sys.exit(0)
    say(number, HELLO if method == "initialize" else params)
