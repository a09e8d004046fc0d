"""Keeps a processor busy for ever."""

import sys

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "burn":
        print("thinking", file=sys.stderr, flush=True)
        while True:
            number += 1
    say(number, HELLO if method == "initialize" else params)
