"""The version of this suite, as its distribution has it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

__all__ = ["VERSION"]

VERSION: Final = version("animus-conformance")
