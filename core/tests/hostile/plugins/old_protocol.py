"""Speaks the version of the protocol that its argument says."""

import sys

from plain import HELLO, requests, say

HELLO["protocol_version"] = sys.argv[1]

for number, method, params in requests():
    print("compiled long ago", file=sys.stderr, flush=True)
    say(number, HELLO if method == "initialize" else params)
