"""The plugin kinds that the protocol names (protocol §1). Plugins may be of any other kind: such kinds are plain text.

Nothing lies below.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PluginKind"]


class PluginKind(StrEnum):
    """What a plugin does for the core."""

    SUBJECT_BACKEND = "subject_backend"
    PROVIDER = "provider"
    TRIGGER_BACKEND = "trigger_backend"
    TRANSPORT_BACKEND = "transport_backend"
    WEB_UI = "web_ui"
    LOG_STORAGE_BACKEND = "log_storage_backend"
    NOTIFIER = "notifier"
    QUEUE = "queue"
    CUSTOM = "custom"
