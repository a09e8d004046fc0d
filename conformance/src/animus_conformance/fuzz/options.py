"""How much is made up, and out of which seed."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FuzzOptions"]


class FuzzOptions(NamedTuple):
    """The same seed makes the same requests. `examples` is how many; a plugin that is right is asked all of them."""

    seed: int = 0
    examples: int = 150
