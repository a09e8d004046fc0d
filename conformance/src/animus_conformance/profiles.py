"""Host profiles: the hosts that a plugin may meet, as this suite plays them.

`--profile` chooses one for a whole run; single checks choose others. Nothing lies below (protocol §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["DEFAULT_PROFILE", "PROFILES", "Profile"]


class Profile(NamedTuple):
    """How a host behaves. `read_bytes` and `read_pause_s` say how fast it reads; 0 means as fast as it can."""

    name: str
    protocol_version: str
    sends_extensions: bool = True
    tolerant: bool = True
    read_bytes: int = 0
    read_pause_s: float = 0.0


PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("1.1", "1.1.0"),
        Profile("1.0", "1.0.0"),
        Profile("strict", "1.1.0", tolerant=False),
        # At most 1 MB a second, in small pieces: a plugin has to bear that it cannot write on.
        Profile("slow-reader", "1.1.0", read_bytes=2048, read_pause_s=0.002),
        Profile("no-extensions", "1.1.0", sends_extensions=False),
    )
}

DEFAULT_PROFILE: Final = PROFILES["1.1"]
