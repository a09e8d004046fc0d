"""Ignores shutdown, exit, the end of its input and SIGTERM."""

import signal

from plain import HELLO, requests, say

for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(one, signal.SIG_IGN)

for number, method, params in requests():
    if method != "shutdown":
        say(number, HELLO if method == "initialize" else params)
while True:
    signal.pause()
