"""How long the suite waits for what; one factor stretches all of it for slow machines.

Nothing lies below (protocol §2).
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Patience"]


class Patience(NamedTuple):
    """Seconds. `silence_s` is how long nothing must come where nothing may come; `factor` is what stretched it all."""

    manifest_s: float = 5.0  # what hosts wait for a manifest (protocol §2)
    start_s: float = 30.0  # a plugin may have to import and connect a lot before it answers `initialize`
    answer_s: float = 10.0
    event_s: float = 10.0
    silence_s: float = 0.5  # short, since it is waited for in full wherever all is well
    shutdown_s: float = 2.0
    exit_s: float = 2.0
    check_s: float = 120.0  # above what the waits of one check come to: it ends what the suite itself does wrong
    factor: float = 1.0

    def times(self, factor: float) -> Patience:
        """All of it, stretched or shortened. Raises ValueError."""
        if not 0 < factor < math.inf:
            raise ValueError(f"patience: expected a number above 0, not {factor}")
        return Patience(*(seconds * factor for seconds in self))
