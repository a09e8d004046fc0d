"""What the agent says: the part to replace by a real one.

Nothing of ours lies below.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["TELL_FOLDER", "WAIT", "pieces"]

WAIT: Final = "!wait"
"""A prompt that lasts until it is cancelled."""
TELL_FOLDER: Final = "!cwd"
"""A prompt that makes the agent use a tool: it tells its working directory."""

_MAX_PIECES: Final = 40
_WORD: Final = re.compile(r"\s*\S+\s*|\s+")


def pieces(prompt: str) -> list[str]:
    """The answer, in 40 pieces at most; together they are the prompt."""
    words = _WORD.findall(prompt)
    size = max(1, math.ceil(len(words) / _MAX_PIECES))
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)]
