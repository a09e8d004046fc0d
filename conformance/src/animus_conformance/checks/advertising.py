"""What a plugin advertises, held against what its kind needs and what its schema says (protocol §2).

It serves the checks of several kinds. Below it lie the processes and the claims.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed

__all__ = ["require_advertised", "require_flags"]


async def require_advertised(processes: Processes, claims: Claims, method: str) -> None:
    """Raises Failed when neither the manifest nor `initialize` names the method."""
    # Before the claims are read: what `initialize` names counts, too (protocol §2).
    await processes.shared()
    if method not in claims.advertised:
        methods = ", ".join(sorted(claims.advertised)) or "no methods"
        raise Failed(f"{method} is not advertised; advertised are {methods}")


def require_flags(claims: Claims, schema: Mapping[str, Any], methods: Mapping[str, str]) -> None:
    """Raises Failed when a flag of the schema and the method that it stands for disagree; a flag may be left out."""
    for flag, method in methods.items():
        said, is_advertised = schema.get(flag), method in claims.advertised
        if said is not None and said != is_advertised:
            verb = "is" if is_advertised else "is not"
            raise Failed(
                f"{flag} is {json.dumps(said)}, and {claims.method(method)} {verb} among the advertised methods"
            )
