"""Whether dispatching is paused, and how many runs may work at once: what operators set, kept in files.

Below lie the JSON files `core-state.json` and `pm-config.json`.
"""

from __future__ import annotations

import os
from typing import Any, Final

from animus_core.daemon.capacity import DaemonSettings
from animus_core.errors import InvalidInput
from animus_core.store.clock import utc_now_text
from animus_core.store.json_files import read_json_or_default, write_json_atomic
from animus_core.store.locks import acquire_within
from animus_core.store.paths import Scope
from animus_core.workflow.definitions import DaemonBlock

__all__ = ["CoreState", "read_settings"]

_LOCK_S: Final = 5.0
_CONCURRENCY_VARIABLE: Final = "ANIMUS_WORKFLOW_CONCURRENCY_MAX"
_DEFAULT_MAX: Final = 10
"""How many runs work at once if nobody sets it. Each is a process, often with an agent beside it."""


class CoreState:
    """`core-state.json`: whether dispatching is paused, and since when."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        default: dict[str, Any] = {"v": 1, "paused": False}
        self._values = read_json_or_default(scope.core_state, default)

    @property
    def paused(self) -> bool:
        """Whether no new work is started."""
        return self._values.get("paused") is True

    def set_paused(self, paused: bool) -> None:
        """Pause or resume dispatching. On the disk when this returns; raises Conflict or RetryLater if it cannot be."""
        with acquire_within(self._scope.core_state_lock, _LOCK_S):
            self._values = {**self._values, "v": 1, "paused": paused, "paused_at": utc_now_text() if paused else None}
            write_json_atomic(self._scope.core_state, self._values)


def read_settings(scope: Scope, block: DaemonBlock) -> DaemonSettings:
    """`pm-config.json`, else the workflows' `daemon:` block; runs are capped by `ANIMUS_WORKFLOW_CONCURRENCY_MAX` (10).

    Raises InvalidInput naming the file and the key.
    """
    config = read_json_or_default(scope.pm_config, dict[str, Any]())
    cap_text = os.environ.get(_CONCURRENCY_VARIABLE, "")
    cap = int(cap_text) if cap_text.isdigit() and int(cap_text) > 0 else _DEFAULT_MAX
    wanted = _number(scope, config, "pool_size", block.pool_size or cap)
    headroom = _number(scope, config, "slot_headroom", 0)
    heartbeat = _number(scope, config, "interval_secs", block.interval_secs or 5)
    return DaemonSettings(
        max_workflows=min(max(1, wanted), cap), slot_headroom=headroom, heartbeat_s=max(1.0, heartbeat)
    )


def _number(scope: Scope, config: dict[str, Any], key: str, default: int) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput(f"{scope.pm_config}: {key} is {value!r}", hint="Write a whole number, 0 or more.")
    return value
