"""Params with which any method can be asked without doing harm: mostly for things that are not there.

They serve to see whether a method is there at all. Nothing lies below (protocol §4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["harmless_params"]

# 7 stands where a text or an object belongs: right params would make, run, start or send something.
_PARAMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "subject/get": {"id": "no-such-subject"},
    "subject/update": {"id": "no-such-subject", "patch": {}},
    "subject/status": {"id": "no-such-subject", "status": "ready"},
    "subject/delete": {"id": "no-such-subject"},
    # From here on right params would make, run or start something: these are refused for their types.
    "subject/create": {"title": 7},
    "agent/run": {"prompt": 7, "cwd": 7},
    "agent/resume": {"prompt": "probe", "cwd": "/", "session_id": "no-such-session"},
    "agent/cancel": {"session_id": "no-such-session"},
    "trigger/ack": {"event_id": "no-such-event"},
    "log_storage/store": {"entries": []},
    "transport/start": {"control_socket_path": 7, "project_root": 7},
    "notifier/notify": {"event": 7},
}


def harmless_params(method: str) -> dict[str, Any]:
    """What to ask `method` with (its `subject/` name); params of wrong types where right ones would do something."""
    return dict(_PARAMS.get(method, {}))
