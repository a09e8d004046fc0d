"""Closes its standard output or its standard input and lives on."""

import os
import signal
import sys

from plain import HELLO, requests, say

for number, method, params in requests():
    if method in ("stdout", "stdin"):
        print(f"closing {method}", file=sys.stderr, flush=True)
        os.close({"stdin": 0, "stdout": 1}[method])
        while True:
            signal.pause()
    say(number, HELLO if method == "initialize" else params)
