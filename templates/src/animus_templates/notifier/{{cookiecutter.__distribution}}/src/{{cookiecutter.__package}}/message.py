"""What people read of an event, as pure functions.

Nothing of ours lies below.
"""

from __future__ import annotations

import hashlib
import json

from animus_sdk import DaemonEventRecord

__all__ = ["file_name", "message"]


def file_name(event: DaemonEventRecord) -> str:
    """The same one for the same event: its id may be any text, and becomes letters that every disk takes."""
    return f"{hashlib.sha256(event.id.encode()).hexdigest()[:32]}.txt"


def message(event: DaemonEventRecord) -> str:
    """A subject line and what else the event says."""
    payload = json.dumps(event.data, ensure_ascii=False, indent=2)
    return f"{event.event_type}\n\n{event.timestamp}\n{event.project_root or 'no project'}\n{payload}\n"
