"""What every contender sends: the same three fields, about 200 bytes of JSON; and the frame of those without JSON.

Imported by hosts and children; below it lies nothing, so that it costs no contender anything.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CONCURRENT", "KIND", "NUMBER", "RAW_FRAME", "TEXT", "fields"]

NUMBER: Final = 7
KIND: Final = "task"
TEXT: Final = "an echo of ordinary text, nothing in it wants an escape; " * 3
RAW_FRAME: Final = b"r" * 199 + b"\n"
CONCURRENT: Final = 64
"""How many calls are in flight in the concurrent cell."""


def fields() -> dict[str, Any]:
    """The payload as plain JSON."""
    return {"number": NUMBER, "kind": KIND, "text": TEXT}
