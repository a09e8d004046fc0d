"""The methods of the benchmark's own plugin, typed at both ends.

Imported by `animus_host.py` and `animus_child.py`; below it lie the protocol's base models.
"""

from __future__ import annotations

from typing import Final

from animus_protocol.models.base import Empty, Method, WireModel

__all__ = ["ECHO", "ECHO_INLINE", "EMIT", "NOTE", "PROFILE", "Echo", "Emit", "Profile", "ProfileText"]


class Echo(WireModel):
    """The payload that travels."""

    number: int
    kind: str
    text: str


class Emit(WireModel):
    """How many notifications to send."""

    amount: int


class Profile(WireModel):
    """Begin to watch the child with `tool`, or end it and tell."""

    tool: str
    begin: bool


class ProfileText(WireModel):
    """What was seen."""

    text: str


ECHO: Final = Method("bench/echo", Echo, Echo, "benchmark")
ECHO_INLINE: Final = Method("bench/echo-inline", Echo, Echo, "benchmark")
EMIT: Final = Method("bench/emit", Emit, Empty, "benchmark")
NOTE: Final[Method[Echo, None]] = Method("bench/note", Echo, None, "benchmark")
PROFILE: Final = Method("bench/profile", Profile, ProfileText, "benchmark")
