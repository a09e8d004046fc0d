"""`animus trust`: show what of the repository would be executed, and trust exactly that.

Below lies `services/trust.py`. Asks on a terminal; anywhere else only `--yes` trusts. All that comes from the
repository is escaped before it gets here, so that a file's name cannot hide what is asked.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Final

from animus_core.cli.output import Output
from animus_core.cli.session import scope_of, with_daemon
from animus_core.control.client import daemon_is_running
from animus_core.errors import AnimusError, InvalidInput, NotTrusted
from animus_core.host.environment import COOKIE
from animus_core.services.trust import Shown, forget, give, show
from animus_core.store.paths import Scope
from animus_core.supply.trust.trust import FOLDER, MEND_HINT, TRUST_HINT, Mode
from animus_protocol.models.base import Empty
from animus_protocol.models.control.daemon import DAEMON_NUDGE

__all__ = ["trust"]

_SHOWN_CHANGES: Final = 200
_YES: Final = frozenset({"y", "yes"})


def trust(args: argparse.Namespace, output: Output) -> int:
    """Show, ask, trust; or only show; or take the trust back."""
    scope = scope_of(args)
    if args.revoke:
        return _revoke(scope, output)
    shown = show(scope)
    now = shown.trust
    mode: Mode | None = "auto" if args.auto else "ask" if args.ask else None
    if now.trusted and (args.show or (not now.changes and mode in (None, now.mode))):
        output.result(_data(shown), f"{_listing(shown)}{now.root}: {now.reason} (mode {now.mode})")
        return 0
    if not output.json_mode:
        sys.stdout.write(_listing(shown))
        sys.stdout.flush()
    if args.show:
        raise NotTrusted(f"{now.root}: {now.reason}", hint=TRUST_HINT, details=_data(shown))
    if not now.grantable:
        raise InvalidInput(f"{now.root}: {now.reason}", hint=MEND_HINT, details=_data(shown))
    _refuse_agents()
    if not args.yes and (now.changes or mode == "auto"):
        _ask(shown, mode, output)
    given = give(scope, shown, mode)
    _tell_daemon(scope)
    every = "; from now on every change is trusted without asking" if given.mode == "auto" else ""
    output.result(_data(shown._replace(trust=given._replace(changes=now.changes))), f"{now.root}: trusted{every}")
    return 0


def _revoke(scope: Scope, output: Output) -> int:
    was_trusted = forget(scope)
    _tell_daemon(scope)
    shown = show(scope)
    output.result(_data(shown), f"{shown.trust.root}: {'not trusted any more' if was_trusted else 'was not trusted'}")
    return 0


def _refuse_agents() -> None:
    """Raise NotTrusted inside a run: what an agent may have written is not its own to trust, whatever a hint says."""
    if COOKIE in os.environ:
        message = "a process of a run cannot trust a repository"
        raise NotTrusted(message, hint="A person has to look at it, outside of the run: animus trust")


def _ask(shown: Shown, mode: Mode | None, output: Output) -> None:
    """Return when a person says yes. Raises InvalidInput where nobody can be asked, NotTrusted when they say no."""
    root = shown.trust.root
    if output.json_mode or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidInput(
            f"{root}: {shown.trust.reason}, and nobody can be asked here",
            hint="To trust all that was shown: animus trust --yes",
            details=_data(shown),
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
        with_daemon(scope, lambda control: control.call(DAEMON_NUDGE, Empty()))
    except AnimusError as error:
        sys.stderr.write(f"the daemon was not told and looks by itself in a moment: {error.message}\n")


def _listing(shown: Shown) -> str:
    """What would be executed, or how it differs from what was trusted; empty when there is nothing to show."""
    if shown.diff:
        return f"{shown.diff}\n"
    changes = shown.trust.changes
    if not changes:
        return ""
    lines = [f"{shown.trust.root}: executed, or deciding what is:"]
    for change in changes[:_SHOWN_CHANGES]:
        note = change.what.removeprefix("added").lstrip(",: ")
        lines.append(f"  {FOLDER}/{change.path}" + (f" ({note})" if note else ""))
    more = len(changes) - _SHOWN_CHANGES
    return "\n".join([*lines, *([f"  … and {more} more"] if more > 0 else []), ""])


def _data(shown: Shown) -> dict[str, Any]:
    told: dict[str, Any] = {
        "root": str(shown.trust.root),
        "trusted": shown.trust.trusted,
        "mode": shown.trust.mode,
        "digest": shown.trust.digest,
        "reason": shown.trust.reason,
        "changes": [change._asdict() for change in shown.trust.changes],
    }
    return {**told, "diff": shown.diff} if shown.diff else told
