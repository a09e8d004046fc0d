"""Crashes on the third call that it gets, while others wait."""

import os
import sys

from plain import HELLO, requests, say

waiting = []

for number, method, params in requests():
    if method == "initialize":
        say(number, HELLO)
    elif method == "shutdown":
        say(number, {})
    elif method == "wait":
        waiting.append(number)
        if len(waiting) == 3:
            say(waiting[0], {"n": 0})
            print("assertion failed: 2 == 3", file=sys.stderr, flush=True)
            os.abort()
    else:
        say(number, params)
