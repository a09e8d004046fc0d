"""Values as the bytes that travel.

Below it lies pydantic-core alone, which a connection needs in any case: whoever only speaks imports no models for it.
"""

from __future__ import annotations

from pydantic_core import to_json

__all__ = ["encode"]


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of a model, or of a dict or list that holds models; NaN and infinities become null."""
    # `to_json` would write the word NaN, which is not valid JSON, and some peers die of it (protocol §1).
    return to_json(value, exclude_none=True, by_alias=True, inf_nan_mode="null")
