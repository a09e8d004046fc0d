"""Sends a reply byte by byte, with a pause after each."""

import json
import select
import sys

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "drip":
        for byte in json.dumps({"jsonrpc": "2.0", "id": number, "result": params}) + "\n":
            sys.stdout.write(byte)
            sys.stdout.flush()
            select.select([], [], [], params["pause_s"])
        continue
    say(number, HELLO if method == "initialize" else params)
