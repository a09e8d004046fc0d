"""Answers ids that nobody asked for; `right` says whether the right one comes after them."""

from plain import HELLO, requests, say

for number, method, params in requests():
    if method == "shutdown":
        say(number, {})
        break
    for wrong in (number + 1000, number - 1000, str(number), float(number) + 0.5, None, True, [number], {}, 2**70):
        say(wrong, {"n": -1})
    if method == "initialize" or params.get("right"):
        say(number, HELLO if method == "initialize" else params)
