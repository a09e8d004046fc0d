"""What a plugin says of itself, in its manifest and in `initialize` (protocol §2, §4).

Below it lies the manifest as it was printed. Everything here is untrusted: a value of another type counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from animus_conformance.method_names import canonical
from animus_conformance.target.manifest_probe import ManifestProbe

__all__ = ["Claims"]

_FLAGS: Final = ("$harness/", "$host/", "$vendor/", "$ui/")
"""What stands among the capabilities of a manifest beside methods, and may have a slash like them."""
_SUBJECT_KIND: Final = "subject_kind:"


class Claims:
    """The manifest, and what the last `initialize` said: before the first one there are the manifest's claims alone."""

    def __init__(self, probe: ManifestProbe) -> None:
        self.manifest: Mapping[str, Any] = probe.manifest
        """What `--manifest` printed; empty when that is not a JSON object."""
        self._initialized: Mapping[str, Any] = {}
        self.spelled = self._spelled()
        """The methods that it advertises, in manifest or `initialize`, as it spells them (protocol §2)."""

    def learn(self, initialized: Mapping[str, Any]) -> None:
        """Take what `initialize` of a process said in place of what the last one said."""
        self._initialized = initialized
        self.spelled = self._spelled()

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """`capabilities` of the last result of `initialize`."""
        capabilities = self._initialized.get("capabilities")
        return capabilities if isinstance(capabilities, Mapping) else {}

    def _spelled(self) -> frozenset[str]:
        words = [*_texts(self.manifest.get("capabilities")), *_texts(self.capabilities.get("methods"))]
        return frozenset(word for word in words if "/" in word and not word.startswith(_FLAGS))

    @property
    def advertised(self) -> frozenset[str]:
        """The same, with `subject/<verb>` for every kind's own name of a verb."""
        return frozenset(map(canonical, self.spelled))

    @property
    def subject_kinds(self) -> list[str]:
        """The kinds of subjects that it claims, patterns such as `issue.*` included (protocol §4)."""
        tokens = [
            word.removeprefix(_SUBJECT_KIND)
            for word in _texts(self.manifest.get("capabilities"))
            if word.startswith(_SUBJECT_KIND)
        ]
        return list(dict.fromkeys([*_texts(self.capabilities.get("subject_kinds")), *tokens]))

    def method(self, name: str) -> str:
        """How this plugin wants `name` to be spelled: `subject/list` may be `task/list` (protocol §4)."""
        if name in self.spelled:
            return name
        own = sorted(spelling for spelling in self.spelled if canonical(spelling) == name)
        if own:
            return own[0]
        # It advertises the verb under no name: where it claims a kind, a host would ask by the kind's name.
        prefix, _, verb = name.partition("/")
        plain = [kind for kind in self.subject_kinds if "*" not in kind]
        return f"{plain[0]}/{verb}" if prefix == "subject" and plain else name


def _texts(value: Any) -> list[str]:
    return [member for member in value if isinstance(member, str)] if isinstance(value, list) else []
