"""Takes memory until there is no more."""

from plain import HELLO, requests, say

kept = []

for number, method, params in requests():
    if method == "eat":
        while len(kept) < 1000:
            kept.append(bytearray(2**22))
    say(number, HELLO if method == "initialize" else params)
