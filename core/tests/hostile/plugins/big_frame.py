"""Answers with 64 MiB, as one frame or as a line that never ends."""

import sys

from plain import HELLO, requests, say

for number, method, params in requests():
    if method in ("big", "endless"):
        sys.stdout.write(f'{{"jsonrpc": "2.0", "id": {number}, "result": {{"text": "')
        for _ in range(64):
            sys.stdout.write("x" * 2**20)
        if method == "big":
            sys.stdout.write('"}}\n')
        else:
            sys.stdout.write("\n")
        sys.stdout.flush()
        continue
    say(number, HELLO if method == "initialize" else params)
