"""How many runs may start now: a pure function of the settings and what is active.

The headroom keeps slots for urgent work, because nothing that runs is ever stopped for something else. Nothing lies
below.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from animus_protocol.models.priority import PriorityName

__all__ = ["LOWEST_PRIORITY", "URGENT_PRIORITY", "DaemonSettings", "FreeSlots", "free_slots"]

URGENT_PRIORITY: Final = PriorityName.HIGH.number
"""Entries of this priority or smaller (critical, high) may use the headroom."""

LOWEST_PRIORITY: Final = PriorityName.LOW.number


class DaemonSettings(NamedTuple):
    """What an operator sets: `max_workflows` runs at once, of which `slot_headroom` are kept for urgent entries."""

    max_workflows: int = 10
    slot_headroom: int = 0
    heartbeat_s: float = 5.0


class FreeSlots(NamedTuple):
    """How many entries may start: of any priority, and urgent ones beyond those."""

    any_priority: int
    urgent: int


def free_slots(settings: DaemonSettings, active: int, *, paused: bool) -> FreeSlots:
    """`max_workflows − active − slot_headroom` for all, the headroom for urgent ones; nothing while paused."""
    if paused:
        return FreeSlots(0, 0)
    free = max(0, settings.max_workflows - active)
    for_all = max(0, free - settings.slot_headroom)
    return FreeSlots(for_all, free - for_all)
