"""How plugins of a kind are called by convention. Nothing lies below."""

from typing import Final

__all__ = ["PROVIDER_PREFIX", "SUBJECT_BACKEND_PREFIX"]

PROVIDER_PREFIX: Final = "animus-provider-"
"""Before the tool: `animus-provider-mock` serves the tool `mock`."""
SUBJECT_BACKEND_PREFIX: Final = "animus-subject-"
"""Before what keeps the subjects, or before their kind: `animus-subject-files`."""
