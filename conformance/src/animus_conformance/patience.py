"""How long the suite waits for what; one factor stretches all of it for slow machines.

Nothing lies below (protocol §2).
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Patience"]


class Patience(NamedTuple):
    """Seconds. `silence_s` is how long nothing must come where nothing may come; `factor` is what stretched it all."""

    manifest_s: float = 5.0
    start_s: float = 30.0
    answer_s: float = 10.0
    event_s: float = 10.0
    silence_s: float = 0.5
    shutdown_s: float = 2.0
    exit_s: float = 2.0
    check_s: float = 120.0
    factor: float = 1.0

    def times(self, factor: float) -> Patience:
        """All of it, stretched or shortened. Raises ValueError."""
        if not 0 < factor < math.inf:
            raise ValueError(f"patience: expected a number above 0, not {factor}")
        return Patience(*(seconds * factor for seconds in self))
