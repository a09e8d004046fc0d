"""Answers the requests 2 to 1,000 before anybody has asked."""

import json
import sys

from plain import HELLO, requests, say

first = json.loads(sys.stdin.readline())
for number in range(2, 1000):
    say(number, {"n": -1})
say(first["id"], HELLO)

for number, _, params in requests():
    say(number, params)
