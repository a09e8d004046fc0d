"""What every reader of frames knows of their text: how long one may be, and how half a surrogate pair is read.

Nothing lies below.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_FRAME_BYTES", "mend_halves"]

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""Frames over 16 MiB may be refused (protocol §1)."""

# Compiled where they are needed, which is rare: a short process has no time to do it beforehand.
_SURROGATE: Final = rb"\\u[dD][89a-fA-F]"
# Whole pairs come first in the alternation, so that only halves are left for the group.
_ESCAPE: Final = (
    rb"(?s)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def mend_halves(line: bytes) -> bytes:
    """`line` with each escape of half a surrogate pair as U+FFFD: some peers write one where they cut a text.

    It is `line` itself where there is none.
    """
    if re.search(_SURROGATE, line) is None:
        return line
    return re.sub(_ESCAPE, lambda escape: rb"\ufffd" if escape[1] else escape[0], line)
