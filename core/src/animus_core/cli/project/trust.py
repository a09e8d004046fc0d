"""`animus trust`: show what of the repository would be executed, and trust exactly that.

Below lies `services/trust.py`. Asks on a terminal; anywhere else only `--yes` trusts. All that comes from the
repository is escaped before it gets here, so that a file's name cannot hide what is asked.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Final

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.control.ask import ask_daemon
from animus_core.control.methods import DAEMON_NUDGE
from animus_core.control.presence import daemon_is_running
from animus_core.errors import TRUST_HINT, AnimusError, InvalidInput, NotTrusted
from animus_core.host.environment import COOKIE
from animus_core.services.trust import TrustReview, grant, review, revoke
from animus_core.store.paths import Scope
from animus_core.supply.trust.trust import FIX_HINT, FOLDER, Mode

__all__ = ["trust"]

_LISTED_CHANGES: Final = 200  # a repository decides how many files there are; a person has to see the question
_YES: Final = frozenset({"y", "yes"})


def trust(args: argparse.Namespace, output: Output) -> int:
    """Show, ask, trust; or only show; or take the trust back."""
    scope = scope_of(args)
    if args.revoke:
        return _revoke(scope, output)
    reviewed = review(scope)
    now = reviewed.trust
    mode: Mode | None = "auto" if args.auto else "ask" if args.ask else None
    if now.trusted and (args.show or (not now.changes and mode in (None, now.mode))):
        output.result(_to_json(reviewed), f"{_format_changes(reviewed)}{now.root}: {now.reason} (mode {now.mode})")
        return 0
    if not output.json_mode:
        # Before any question or refusal: nobody is asked about what they have not seen.
        sys.stdout.write(_format_changes(reviewed))
        sys.stdout.flush()
    if args.show:
        raise NotTrusted(f"{now.root}: {now.reason}", hint=TRUST_HINT, details=_to_json(reviewed))
    if not now.grantable:
        raise InvalidInput(f"{now.root}: {now.reason}", hint=FIX_HINT, details=_to_json(reviewed))
    # Behind the ways that only show: an agent may look at what waits for trust.
    _refuse_agents()
    if not args.yes and (now.changes or mode == "auto"):
        _ask(reviewed, mode, output)
    given = grant(scope, reviewed, mode)
    _tell_daemon(scope)
    every = "; from now on every change is trusted without asking" if given.mode == "auto" else ""
    output.result(_to_json(reviewed._replace(trust=given._replace(changes=now.changes))), f"{now.root}: trusted{every}")
    return 0


def _revoke(scope: Scope, output: Output) -> int:
    was_trusted = revoke(scope)
    _tell_daemon(scope)
    reviewed = review(scope)
    output.result(
        _to_json(reviewed), f"{reviewed.trust.root}: {'not trusted any more' if was_trusted else 'was not trusted'}"
    )
    return 0


def _refuse_agents() -> None:
    """Raise NotTrusted inside a run: what an agent may have written is not its own to trust, whatever a hint says."""
    if COOKIE in os.environ:
        message = "a process of a run cannot trust a repository"
        raise NotTrusted(message, hint="A person has to look at it, outside of the run: animus trust")


def _ask(reviewed: TrustReview, mode: Mode | None, output: Output) -> None:
    """Return when a person says yes. Raises InvalidInput where nobody can be asked, NotTrusted when they say no."""
    root = reviewed.trust.root
    # Both: an answer from a pipe is nobody's, and a question into a file is read by nobody.
    if output.json_mode or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidInput(
            f"{root}: {reviewed.trust.reason}, and nobody can be asked here",
            hint="To trust all that was shown: animus trust --yes",
            details=_to_json(reviewed),
        )
    every = ", and every later change without asking" if mode == "auto" else ""
    sys.stdout.write(f"Trust this{every}? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise NotTrusted(f"{root}: nothing was changed", hint=TRUST_HINT)


def _tell_daemon(scope: Scope) -> None:
    """A daemon that runs looks at once; one that does not answer looks at its next heartbeat."""
    if not daemon_is_running(scope):
        return
    try:
        ask_daemon(scope, DAEMON_NUDGE({}))
    except AnimusError as error:
        sys.stderr.write(f"the daemon was not told and looks by itself in a moment: {error.message}\n")


def _format_changes(reviewed: TrustReview) -> str:
    """What would be executed, or how it differs from what was trusted; empty when there is nothing to show."""
    if reviewed.diff:
        return f"{reviewed.diff}\n"
    changes = reviewed.trust.changes
    if not changes:
        return ""
    lines = [f"{reviewed.trust.root}: executed, or deciding what is:"]
    for change in changes[:_LISTED_CHANGES]:
        note = change.what.removeprefix("added").lstrip(",: ")
        lines.append(f"  {FOLDER}/{change.path}" + (f" ({note})" if note else ""))
    more = len(changes) - _LISTED_CHANGES
    return "\n".join([*lines, *([f"  … and {more} more"] if more > 0 else []), ""])


def _to_json(reviewed: TrustReview) -> dict[str, Any]:
    values: dict[str, Any] = {
        "root": str(reviewed.trust.root),
        "trusted": reviewed.trust.trusted,
        "mode": reviewed.trust.mode,
        "digest": reviewed.trust.digest,
        "reason": reviewed.trust.reason,
        "changes": [change._asdict() for change in reviewed.trust.changes],
    }
    return {**values, "diff": reviewed.diff} if reviewed.diff else values
