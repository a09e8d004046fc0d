"""Sends notifications as fast as it can, and answers meanwhile."""

import json
import sys
import threading

from plain import HELLO, requests

lock = threading.Lock()


def write(value):
    with lock:
        sys.stdout.write(json.dumps(value) + "\n")
        if "id" in value:
            sys.stdout.flush()


def flood(number, count):
    for tick in range(count):
        write({"jsonrpc": "2.0", "method": "tick", "params": {"n": tick}})
    write({"jsonrpc": "2.0", "id": number, "result": {"sent": count}})


for number, method, params in requests():
    if method == "flood":
        threading.Thread(target=flood, args=(number, params["count"])).start()
    else:
        write({"jsonrpc": "2.0", "id": number, "result": HELLO if method == "initialize" else params})
