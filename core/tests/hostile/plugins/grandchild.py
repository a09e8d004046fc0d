"""Dies, and leaves a grandchild that keeps its pipes open: in its group, out of it, or without a trace."""

import json
import os
import subprocess
import sys

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "custom"},
    "capabilities": {"methods": ["echo"]},
}


def say(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


WHERE = sys.argv[1]

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    number, method, params = request["id"], request["method"], request["params"]

    if method == "die":
        options = {"start_new_session": WHERE != "group"}
        if WHERE == "hidden":
            options["env"] = {}
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"], **options)
        print(f"grandchild {child.pid}", file=sys.stderr, flush=True)
        os._exit(4)
    say(number, HELLO if method == "initialize" else params)
