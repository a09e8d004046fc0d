"""The neighbour: a good plugin that takes 10 ms for each answer."""

import select

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "echo":
        select.select([], [], [], 0.01)
    say(number, {"initialize": HELLO, "echo": params, "health/check": {"status": "healthy"}}.get(method, {}))
    if method == "shutdown":
        break
