"""A provider that takes notice of being cancelled and works on; a prompt that names a file is done when it exists."""

import json
import os
import select
import signal
import sys
import threading

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "ignores_cancel", "version": "1", "plugin_kind": "provider"},
    "capabilities": {"methods": ["agent/run", "agent/cancel"], "cancellation": True},
}


def note(text):
    with open("heard", "a") as file:
        file.write(f"{os.getpid()} {text}\n")


def write(value):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **value}) + "\n")
    sys.stdout.flush()


def run(number, params):
    session = params["session_id"]
    write({"method": "agent/output", "params": {"session_id": session, "text": str(os.getpid())}})
    while not os.path.exists(params["prompt"]):
        select.select([], [], [], 0.02)
    answer = {"session_id": session, "exit_code": 0, "output": "done", "duration_ms": 1, "backend": "hostile"}
    write({"id": number, "result": answer})


signal.signal(signal.SIGTERM, lambda *_: note("SIGTERM"))
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] not in ("initialize", "initialized", "agent/run", "health/check"):
        note(request["method"])
    if request["method"] == "agent/run":
        threading.Thread(target=run, args=(request["id"], request["params"]), daemon=True).start()
    elif request["method"] == "agent/cancel":
        write({"id": request["id"], "result": {"session_id": request["params"]["session_id"], "cancelled": True}})
    elif "id" in request and request["method"] != "shutdown":
        write({"id": request["id"], "result": HELLO if request["method"] == "initialize" else {"status": "healthy"}})
while True:
    signal.pause()
