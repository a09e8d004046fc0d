"""A plugin of the kind that its argument names, with that kind's methods; answers what comes together back to front.

Every answer carries something of its own question, so that nobody can take it for another one.
"""

import json
import os
import sys

KIND = sys.argv[1]
NOW = "2026-01-02T03:04:05Z"
HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "every", "version": "1", "plugin_kind": KIND},
    "capabilities": {"methods": [], "subject_kinds": ["task"]},
}


def subject(params):
    return {"id": params["id"], "kind": "task", "title": "t", "status": "ready", "created_at": NOW, "updated_at": NOW}


def agent(params):
    session = params["session_id"]
    tell("agent/thinking", {"session_id": session, "text": "hm"})
    tell("agent/output", {"session_id": session, "text": params["prompt"], "final": True})
    return {"session_id": session, "exit_code": 0, "output": params["prompt"], "duration_ms": 1, "backend": "every"}


def acknowledged(params):
    tell("trigger/event", {"event_id": params["event_id"] + "-next", "payload": {}})
    return {"event_id": params["event_id"], "acked": True}


def entry(params):
    what = {"ts": NOW, "level": "info", "source": "plugin", "target": "t", "message": "m"}
    return {"entries": [{"id": params["cursor"], **what}]}


def enqueued(params):
    subject_id = params["subject_dispatch"]["subject"]["id"]
    return {"enqueued": True, "entry_id": "q-" + subject_id, "subject_id": subject_id}


def notified(params):
    delivery = {"event_type": "sent", "data": params["event"]["id"]}
    return {"accepted": True, "delivered": 1, "lifecycle_events": [delivery]}


ANSWERS = {
    "initialize": lambda params: HELLO,
    "health/check": lambda params: {"status": "healthy"},
    "shutdown": lambda params: {},
    "task/get": subject,
    "agent/run": agent,
    "trigger/watch": lambda params: {"watching": True},
    "trigger/ack": acknowledged,
    "transport/start": lambda params: {"bound_addr": params["bind_addr"], "started_at": NOW},
    "log_storage/store": lambda params: {"stored": len(params["entries"])},
    "log_storage/query": entry,
    "notifier/notify": notified,
    "queue/enqueue": enqueued,
    "custom/mirror": lambda params: params,
}


def write(value):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **value}) + "\n")


def tell(method, params):
    write({"method": method, "params": params})


rest = b""
while chunk := os.read(0, 65536):
    *lines, rest = (rest + chunk).split(b"\n")
    for request in map(json.loads, reversed(lines)):
        if "id" in request:
            write({"id": request["id"], "result": ANSWERS[request["method"]](request["params"])})
        elif request["method"] == "exit":
            sys.exit()
    sys.stdout.flush()
