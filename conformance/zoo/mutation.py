"""The base of every mutant: a well-behaved plugin's frames, passed on as they are unless one is broken on purpose.

`relay.py` drives it, between the suite and a good plugin. A mutant starts for nearly every check, so that nothing here
and in the mutants imports what a start does not need, `typing` least of all.
"""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False  # as in typing, whose import would cost more than half as much as the start of Python
if TYPE_CHECKING:
    from typing import Any, Final
else:
    Any = object

__all__ = ["MUTANTS", "TYPE_CHECKING", "Any", "Message", "Mutant", "Mutation", "Sent", "mutant"]

Message = dict[str, Any]
Sent = Message | bytes | list[Message | bytes] | None
"""What goes to the host in place of a message: another one, raw bytes, several of these, or nothing."""


class Mutation:
    """Changes nothing. A mutant overrides the places where it breaks something.

    `say(message)` writes to the host, `pass_on(message)` to the plugin behind; both may be used once it is connected.
    """

    say: Callable[[Sent], None]
    pass_on: Callable[[Message], None]

    def connect(self, say: Callable[[Sent], None], pass_on: Callable[[Message], None]) -> None:
        """Both ends are there."""
        self.say, self.pass_on = say, pass_on

    def manifest(self, manifest: Message) -> Message | bytes:
        """What `--manifest` prints."""
        return manifest

    def manifest_exit(self, code: int) -> int:
        """The exit code of `--manifest`."""
        return code

    def asked(self, request: Message) -> Message | None:
        """A request of the host on its way to the plugin; None when it is not to get there."""
        return request

    def notified(self, notification: Message) -> Message | None:
        """A notification of the host on its way to the plugin."""
        return notification

    def answers(self, request: Message, reply: Message) -> Sent:
        """A reply of the plugin on its way to the host."""
        return reply

    def notifies(self, notification: Message) -> Sent:
        """A notification of the plugin on its way to the host."""
        return notification

    def raw_chunk(self, chunk: bytes) -> bytes:
        """What one read gave, before anybody looks for lines in it."""
        return chunk

    def raw_line(self, line: bytes) -> bytes | None:
        """A line of the host before anybody reads it: None when it is not to get any further."""
        return line

    def at_start(self) -> None:
        """The process has begun; nothing was said yet."""

    def on_terminal(self) -> int | None:
        """Standard input is a terminal: an exit code instead of what the plugin behind does."""
        return None

    def at_end_of_input(self) -> bool:
        """The host has closed standard input: whether the plugin behind is to notice."""
        return True

    def at_sigterm(self) -> bool:
        """SIGTERM: whether the plugin behind gets it, too."""
        return True

    def at_exit(self, code: int) -> int:
        """The plugin behind has ended: the exit code to end with; this may also not return."""
        return code

    def result(self, request: Message, result: Any) -> Message:
        """A reply to `request`."""
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}

    def refusal(self, request: Message, code: int, message: str = "refused", **data: Any) -> Message:
        """An error reply to `request`."""
        error = {"code": code, "message": message, **({"data": data} if data else {})}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}


class Mutant:
    """A mutation of one good plugin, made to fail exactly the check of `requirement_id`. `about` says what it does."""

    def __init__(self, name: str, requirement_id: str, base: str, mutation: type[Mutation]) -> None:
        self.name = name
        self.requirement_id = requirement_id
        self.base = base
        self.about = " ".join((mutation.__doc__ or "").split())
        self.mutation = mutation


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(requirement_id: str, *, base: str) -> Callable[[type[Mutation]], type[Mutation]]:
    """Put a mutation into the zoo; `base` is the good plugin behind it, by its name in `good.toml`."""

    def enter(mutation: type[Mutation]) -> type[Mutation]:
        # Numbered by what is there already, so that its name says which requirement it is for, and nothing else.
        number = 1 + sum(one.requirement_id == requirement_id for one in MUTANTS.values())
        name = requirement_id if number == 1 else f"{requirement_id}#{number}"
        MUTANTS[name] = Mutant(name, requirement_id, base, mutation)
        return mutation

    return enter
