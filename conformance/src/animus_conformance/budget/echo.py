"""The reference: a plugin of the standard library that does nothing but answer. Run as a script, never imported."""

import json
import sys

for line in sys.stdin.buffer:
    message = json.loads(line)
    if message.get("method") == "exit":
        break
    if "id" in message:
        result = {}
        if message["method"] == "initialize":
            info = {"name": "animus-echo", "version": "1.0.0", "plugin_kind": "custom"}
            result = {"protocol_version": "1.1.0", "plugin_info": info, "capabilities": {}}
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
