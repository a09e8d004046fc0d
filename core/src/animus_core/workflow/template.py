"""`{{name}}` at run time: exact names, one pass, nothing else.

No white space is trimmed, there are no expressions, an unknown name stays as it was written, and a value is never
looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["render"]

NAME: Final = re.compile(r"\{\{([^{}]+)\}\}")


def render(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{{name}}` that `values` knows replaced by its value."""
    # A function and no text: in a replacement text a backslash of the value would mean something.
    return NAME.sub(lambda match: values.get(match[1], match[0]), text)
