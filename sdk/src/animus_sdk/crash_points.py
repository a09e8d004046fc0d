"""Named points at which a test makes a plugin die, for plugins that prove that they lose nothing.

    WRITTEN = declare("outbox.written", "the message is on the disk, the host does not know")
    …
    reach(WRITTEN)

Public for authors; below lies `animus_protocol.crash_points`, which says what the variable `ANIMUS_CRASH_POINT` means.
"""

from __future__ import annotations

from animus_protocol.crash_points import CRASH_POINTS, VARIABLE, declare, reach

__all__ = ["CRASH_POINTS", "VARIABLE", "declare", "reach"]
