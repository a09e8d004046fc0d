"""Answers health checks as its argument says: never, degraded, unhealthy, refused, nonsense; healed when told."""

import json
import sys

from plain import HELLO, requests, say

HOW = sys.argv[1]
healed = False

for number, method, params in requests():
    if method == "heal":
        healed = True
    if method == "health/check" and not healed:
        if HOW == "refused":
            refusal = {"code": -32603, "message": "the pulse cannot be taken"}
            print(json.dumps({"jsonrpc": "2.0", "id": number, "error": refusal}), flush=True)
        elif HOW == "nonsense":
            say(number, {"status": "so-so"})
        elif HOW != "never":
            say(number, {"status": HOW, "last_error": "the index is stale"})
    elif method == "health/check":
        say(number, {"status": "healthy"})
    else:
        say(number, HELLO if method == "initialize" else params)
