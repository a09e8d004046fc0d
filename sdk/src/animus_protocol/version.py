"""The protocol's version and the one rule of compatibility.

Nothing lies below.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["PROTOCOL_VERSION", "is_compatible"]

PROTOCOL_VERSION: Final = "1.1.0"
"""What this package speaks (semver)."""

_SEMVER: Final = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
_MAJOR: Final = PROTOCOL_VERSION.partition(".")[0]


def is_compatible(version: str) -> bool:
    """Whether a peer of this protocol `version` can be talked to: semver with the same major (protocol §2)."""
    match = _SEMVER.fullmatch(version)
    return match is not None and match.group(1) == _MAJOR
