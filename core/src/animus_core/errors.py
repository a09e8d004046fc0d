"""The errors of the core: a class says what the caller can do, and carries the CLI's code and exit code.

Raised everywhere in the core and turned into the `animus.cli.v1` envelope (or a JSON-RPC error) in one place each;
nothing lies below. A message says what is wrong and where; `hint` says what to do next.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself costs a short command more than all that it does
if TYPE_CHECKING:
    from typing import Any, ClassVar, Final

__all__ = [
    "TRUST_HINT",
    "AnimusError",
    "Conflict",
    "Internal",
    "InvalidInput",
    "NotTrusted",
    "PluginFailed",
    "RetryLater",
    "UnclaimedKind",
    "UnknownName",
    "no_daemon",
]


TRUST_HINT: Final = "Look at it and decide: animus trust"
"""What to do where something is not trusted."""

_FIX_PLUGIN: Final = "Fix the plugin, or take it out (animus plugin info NAME says where it is from), then try again."


class AnimusError(Exception):
    """Base: `message` says what and where, `hint` what to do next, `details` is JSON for programs."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, details: Any = None) -> None:
        super().__init__(message if hint is None else f"{message}\n{hint}")
        self.message = message
        self.hint = hint
        self.details = details


class Internal(AnimusError):
    """A fault of ours or of the machine: report it."""


class InvalidInput(AnimusError):
    """What was given is wrong: fix it and call again."""

    code = "invalid_input"
    exit_code = 2


class UnknownName(AnimusError):
    """The named thing does not exist: name another one."""

    code = "not_found"
    exit_code = 3


class UnclaimedKind(UnknownName):
    """No plugin serves subjects of this kind: install one, or name another kind."""


class Conflict(AnimusError):
    """The state forbids it now: look at the state, then decide."""

    code = "conflict"
    exit_code = 4


class NotTrusted(Conflict):
    """What would be executed is not trusted by the operator: nothing was, and the work keeps its place."""


class RetryLater(AnimusError):
    """Something that is needed does not answer or has no room: fix it, then retry."""

    code = "unavailable"
    exit_code = 5


class PluginFailed(RetryLater):
    """A plugin died, hung, or answered nonsense: read the tail of its stderr (None: it was not running).

    `why` is the message without the plugin's name.
    """

    def __init__(self, plugin: str, why: str, stderr_tail: str | None, *, remedy: str = _FIX_PLUGIN) -> None:
        tail = "\n".join(f"  | {line}" for line in (stderr_tail or "").splitlines()[-10:])
        wrote = f"It wrote to stderr:\n{tail}\n" if tail else "It wrote nothing to stderr.\n"
        details = {"plugin": plugin, "stderr": stderr_tail or ""}
        hint = (remedy or None) if stderr_tail is None else f"{wrote}{remedy}"
        super().__init__(f"plugin {plugin}: {why}", hint=hint, details=details)
        self.plugin = plugin
        self.why = why
        self.stderr_tail = stderr_tail
        self.remedy = remedy


def no_daemon() -> RetryLater:
    """The error for what only a running daemon can do."""
    return RetryLater("no daemon is running", hint="Start it: animus daemon start")
