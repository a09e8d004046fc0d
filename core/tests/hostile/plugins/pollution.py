"""Prints everything to stdout that people print: banners, progress, tracebacks, JSON that is no message."""

import json
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


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

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    for _ in range(2000 if method == "flood" else 1):
        print("\n".join(NOISE))
    say(number, HELLO if method == "initialize" else params)
    print("\n".join(NOISE), flush=True)
