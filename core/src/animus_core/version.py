"""The version of this distribution.

Written down here, since the metadata of what is installed takes longer to read than everything else that a short
command does; a test holds it against them.
"""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
