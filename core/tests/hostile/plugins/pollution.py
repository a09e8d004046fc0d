"""Prints everything to stdout that people print: banners, progress, tracebacks, JSON that is no message."""

from plain import HELLO, requests, say

NOISE = [
    "Loading 42 models...",
    "\rprogress 10%\rprogress 20%",
    "Traceback (most recent call last):",
    '{"not": "a message"}',
    "[1, 2, 3]",
    "null",
    '"text"',
    '{"jsonrpc": "2.0"}',
    '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "parse error"}}',
    "{broken",
    "\x1b[31mred\x1b[0m \x00 \x07",
    "",
]

for number, method, params in requests():
    for _ in range(2000 if method == "flood" else 1):
        print("\n".join(NOISE))
    say(number, HELLO if method == "initialize" else params)
    print("\n".join(NOISE), flush=True)
