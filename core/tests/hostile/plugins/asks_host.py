"""Asks the host 100,000 things, and reads the refusals or does not."""

import json
import signal
import sys
import threading

from plain import HELLO, say


def ask(count):
    for number in range(1, count + 1):
        print(json.dumps({"jsonrpc": "2.0", "id": number, "method": "host/secrets", "params": {}}))
    sys.stdout.flush()


asking, refused, codes = None, 0, set()
for line in sys.stdin:
    request = json.loads(line)
    if "error" in request:
        refused += 1
        codes.add(request["error"]["code"])
        if refused == asking["params"]["count"]:
            say(asking["id"], {"refused": refused, "codes": sorted(codes)})
    elif request["method"] == "ask":
        asking = request
        if not request["params"]["read"]:
            ask(request["params"]["count"])
            signal.pause()
        threading.Thread(target=ask, args=(request["params"]["count"],)).start()
    elif "id" in request:
        say(request["id"], HELLO if request["method"] == "initialize" else request["params"])
