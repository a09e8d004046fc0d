"""Reads nothing more after the handshake."""

import json
import signal
import sys

from plain import HELLO, say

say(json.loads(sys.stdin.readline())["id"], HELLO)
while True:
    signal.pause()
