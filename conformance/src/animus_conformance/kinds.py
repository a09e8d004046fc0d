"""The kinds of plugins as people type them, and what the suite has to know of each.

Nothing lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

__all__ = ["CUSTOM", "KINDS", "Kind", "kind_named", "kind_of_manifest", "restriction"]


class Kind(NamedTuple):
    """One kind: its name as people type it, its `plugin_kind` on the wire, and its methods (protocol §4).

    `probe` is a harmless request that every plugin of the kind answers, whatever state it is in.
    """

    name: str
    plugin_kind: str
    methods: tuple[str, ...]
    probe: tuple[str, Mapping[str, Any]]


def _methods(prefix: str, *verbs: str) -> tuple[str, ...]:
    return tuple(f"{prefix}/{verb}" for verb in verbs)


_ALL: Final = (
    Kind(
        "subject",
        "subject_backend",
        _methods("subject", "list", "get", "create", "update", "next", "status", "delete", "watch", "schema"),
        ("subject/list", {"limit": 1}),
    ),
    Kind(
        "provider",
        "provider",
        _methods("agent", "run", "resume", "cancel"),
        # Not agent/run, which would cost money and change files.
        ("agent/cancel", {"session_id": "no-such-session"}),
    ),
    Kind("trigger", "trigger_backend", _methods("trigger", "watch", "ack", "schema"), ("trigger/schema", {})),
    Kind(
        "transport", "transport_backend", _methods("transport", "start", "schema", "shutdown"), ("transport/schema", {})
    ),
    Kind("web-ui", "web_ui", _methods("transport", "start", "schema", "shutdown"), ("transport/schema", {})),
    Kind(
        "log-storage",
        "log_storage_backend",
        _methods("log_storage", "store", "query", "tail", "schema"),
        ("log_storage/schema", {}),
    ),
    Kind("notifier", "notifier", _methods("notifier", "notify", "flush", "schema"), ("notifier/schema", {})),
)

CUSTOM: Final = Kind("custom", "custom", (), ("$/ping", {}))
"""Any kind that the suite has no checks of its own for: life cycle and robustness only."""

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (*_ALL, CUSTOM)}


def kind_named(name: str) -> Kind | None:
    """The kind that people type as `name`."""
    return KINDS.get(name)


def kind_of_manifest(manifest: Mapping[str, Any]) -> Kind:
    """The kind that a plugin says it is; one that nobody has heard of is `custom`.

    A transport that advertises `$ui/web` is a web UI (protocol §4).
    """
    plugin_kind, capabilities = manifest.get("plugin_kind"), manifest.get("capabilities")
    if plugin_kind == "transport_backend" and isinstance(capabilities, list) and "$ui/web" in capabilities:
        return KINDS["web-ui"]
    return next((kind for kind in _ALL if kind.plugin_kind == plugin_kind), CUSTOM)


def restriction(kind: str, plugin_kind: Any) -> str:
    """To what the judgement of a plugin is restricted that was judged as `custom`; empty where it is whole.

    `kind` is what it was judged as, `plugin_kind` what its manifest says.
    """
    if kind != CUSTOM.name or plugin_kind in (None, CUSTOM.plugin_kind):
        return ""
    known = [kind.plugin_kind for kind in _ALL]
    if plugin_kind in known:
        return f"life cycle and robustness only, since it was judged as custom and not as {plugin_kind}"
    near = get_close_matches(str(plugin_kind), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"life cycle and robustness only, since the suite has no checks for the kind {plugin_kind!r}{hint}"
