"""Writes 50 MB to stderr before it answers: short lines, then one line that never ends."""

import sys

from plain import HELLO, requests, say

ENDLESS = len(sys.argv) > 1

for number, method, params in requests():
    if method == "flood":
        piece = "x" * 1_000_000 if ENDLESS else "noise\n" * 160_000
        for _ in range(50):
            sys.stderr.write(piece)
        sys.stderr.flush()
    say(number, HELLO if method == "initialize" else params)
