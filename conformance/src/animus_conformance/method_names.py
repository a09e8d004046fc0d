"""One name for each method of the protocol, whatever a plugin calls it: `task/list` is `subject/list` (protocol §4)."""

from __future__ import annotations

from typing import Final

from animus_conformance import oracle

__all__ = ["canonical"]

_SUBJECT_METHODS: Final = frozenset(
    f"subject/{verb}" for verb in ("list", "get", "create", "update", "next", "status", "delete", "watch", "schema")
)


def canonical(method: str) -> str:
    """`task/list` is `subject/list` under a kind's own name; every other method is its own."""
    prefix, _, verb = method.rpartition("/")
    # `log_storage/schema` ends like a verb of subjects, and is a method of the protocol by itself.
    if f"subject/{verb}" in _SUBJECT_METHODS and oracle.method_types(method) is None and prefix:
        return f"subject/{verb}"
    return method
