"""Reviewing a repository and trusting it, for `animus trust` and `animus init`.

There is no control method for it on purpose: a client of the daemon, an agent for example, must not be able to trust
what it has written itself. Below lie the trust store and its diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from animus_core.errors import AnimusError
from animus_core.store.paths import Scope
from animus_core.supply.trust import trust
from animus_core.supply.trust.trust import Mode, Trust

__all__ = ["TrustReview", "grant", "review", "revoke", "trust_what_was_written"]


class TrustReview(NamedTuple):
    """What an operator is asked to trust: exactly the content with the digest `trust.digest`."""

    trust: Trust
    diff: str


def review(scope: Scope) -> TrustReview:
    """The repository as it is now; nothing is written. The diff is empty if nothing was trusted before.

    Raises Conflict if the repository changes meanwhile.
    """
    found = trust.inspect(_config_dir(scope), scope.project_root)
    if not found.known or not found.changes:
        return TrustReview(found, "")
    return TrustReview(found, trust.diff(_config_dir(scope), scope.project_root, of_digest=found.digest))


def grant(scope: Scope, reviewed: TrustReview, mode: Mode | None) -> Trust:
    """Trust exactly what was reviewed. Raises Conflict if it has changed meanwhile, InvalidInput, RetryLater."""
    scope.create()
    return trust.grant(_config_dir(scope), scope.project_root, mode=mode, expected_digest=reviewed.trust.digest)


def revoke(scope: Scope) -> bool:
    """Trust nothing of this repository any more; whether something was trusted."""
    scope.create()
    return trust.revoke(_config_dir(scope), scope.project_root)


def trust_what_was_written(scope: Scope, before: Trust, written: Mapping[str, str]) -> Trust:
    """Trust the files that `animus init` has just written, if all else under `.animus/` was trusted `before`.

    `written`: paths below `.animus/` and their texts. Returns the trust as it is afterwards. It does not raise: if the
    trust cannot be given here, `animus trust` gives it.
    """
    root, config_dir = scope.project_root, _config_dir(scope)
    now = trust.inspect(config_dir, root)
    # If somebody else has written into these files since, a person has to review them.
    as_written = all(_text(root / trust.FOLDER / name) == text for name, text in written.items())
    if now.trusted or not before.trusted or not as_written:
        return now
    # Something beside our files has changed too: a person has to review it.
    if {change.path for change in now.changes} - written.keys():
        return now
    try:
        return trust.grant(config_dir, root, expected_digest=now.digest)
    # The files are written and right. The caller reports that the trust is missing, and `animus trust` gives it.
    except AnimusError:
        return trust.inspect(config_dir, root)


def _config_dir(scope: Scope) -> Path:
    return scope.root.parent


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
