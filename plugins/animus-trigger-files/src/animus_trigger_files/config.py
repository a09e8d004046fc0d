"""The configuration of one trigger, and how ours are told from those of other plugins.

Below it lies pydantic. A host forwards every trigger of the project to every trigger plugin and does not say which is
whose (protocol §4): a configuration is ours when it has one of our keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from animus_sdk import OrDefault, WireModel

__all__ = ["FilesConfig", "OurConfig"]

# Every file is held against every pattern.
_MAX_PATTERNS: Final = 200
_MAX_DEBOUNCE_S: Final = 3600


class FilesConfig(WireModel):
    """What to watch; `debounce_secs` in seconds. A key that is not here is refused by name."""

    model_config = ConfigDict(extra="forbid")

    paths: list[str] = Field(min_length=1, max_length=_MAX_PATTERNS)
    ignore: OrDefault[list[str]] = Field(default_factory=list, max_length=_MAX_PATTERNS)
    debounce_secs: OrDefault[float] = Field(default=5.0, ge=0, le=_MAX_DEBOUNCE_S, strict=True, allow_inf_nan=False)


def _none_for_others(raw: Any) -> Any:
    ours = isinstance(raw, Mapping) and not FilesConfig.model_fields.keys().isdisjoint(raw)
    return raw if ours else None


OurConfig: TypeAlias = Annotated[FilesConfig | None, BeforeValidator(_none_for_others)]
"""A trigger's configuration as this plugin reads it: None for one that belongs to another plugin."""
