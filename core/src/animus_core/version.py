"""The version of this distribution, and the stamp of what is installed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

__all__ = ["VERSION"]

VERSION: Final = version("animus-runtime")
