"""Answers everything twice, the second time with something else."""

from plain import HELLO, requests, say

for number, method, params in requests():
    say(number, HELLO if method == "initialize" else params)
    say(number, {"n": -1})
