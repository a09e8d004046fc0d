"""Stops itself with SIGSTOP, as a terminal would with Ctrl-Z."""

import os
import signal

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    say(number, HELLO if method == "initialize" else params)
