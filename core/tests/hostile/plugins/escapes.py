"""A subject backend that starts a daemon of its own: twice forked, in a session of its own, with no pipe of ours.

Isolated Python starts it, so it imports nothing of this folder.
"""

import json
import os
import signal
import sys

INFO = {"name": "escapes", "version": "1", "plugin_kind": "subject_backend"}
HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": INFO,
    "capabilities": {"methods": ["runaway/list"], "subject_kinds": ["runaway"]},
}


def escape():
    """Fork, leave the session, fork again, let go of everything; ignore SIGTERM and live on."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(0, 100)
    with open("escaped.pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("escaped.pid.new", "escaped.pid")
    while True:
        signal.pause()


if "--manifest" in sys.argv:
    manifest_fields = {
        "description": "d",
        "protocol_version": "1.0.0",
        "capabilities": ["runaway/list", "subject_kind:runaway"],
    }
    print(json.dumps({**INFO, **manifest_fields}))
    sys.exit()
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "initialize" and not os.path.exists("escaped.pid"):
        with open("plugin.pid", "w") as file:
            file.write(str(os.getpid()))
        escape()
    result = {"initialize": HELLO, "runaway/list": {"subjects": [], "fetched_at": "2026-01-01T00:00:00Z"}}
    if "id" in request:
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": result.get(request["method"], {})}
        print(json.dumps(answer), flush=True)
    if request["method"] == "exit":
        break
