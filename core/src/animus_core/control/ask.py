"""How a command asks the core: over the socket when a daemon runs, else in this process under the daemon's lock.

Both ways give the same JSON. Below lie the blocking connection and, where no daemon runs, `here.py`: what only that
needs is imported there, since it is most of the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from animus_core.control.blocking import BlockingConnection, OnNotification, dial_while
from animus_core.control.errors import from_protocol, refusal_of
from animus_core.control.methods import Answer, Question
from animus_core.control.presence import CALL_S, COMING_S, TURN_S, daemon_is_running, silent_holder
from animus_core.errors import Internal, no_daemon
from animus_core.store.locks import HeldLock, acquire
from animus_core.store.paths import Scope
from animus_protocol.errors import ProtocolError

__all__ = ["ask", "ask_daemon", "ask_each", "follow_daemon", "require_fields"]


def ask(scope: Scope, question: Question[Answer], *, timeout_s: float = CALL_S) -> Answer:
    """The daemon's answer if one runs, else that of this process. Raises AnimusError."""
    return ask_each(scope, [question], timeout_s=timeout_s)[0]


def ask_each(scope: Scope, questions: Sequence[Question[Answer]], *, timeout_s: float = CALL_S) -> list[Answer]:
    """The answers to several questions, one after another; the first that is refused ends it. Raises AnimusError.

    Commands without a daemon take turns. Raises Conflict when the lock's holder neither answers nor leaves in 30 s.
    """
    scope.create()
    found = _own_or_dial(scope)
    with found:
        if isinstance(found, HeldLock):
            from animus_core.control.here import answer_here

            return answer_here(scope, questions)
        return [_call(found, question, timeout_s) for question in questions]


def ask_daemon(scope: Scope, question: Question[Answer], *, timeout_s: float = CALL_S) -> Answer:
    """The running daemon's answer. Raises RetryLater when there is none, Conflict when it does not open its socket."""
    with _dial_daemon(scope) as connection:
        answer: Answer = _call(connection, question, timeout_s)
        return answer


def follow_daemon(scope: Scope, question: Question[Any], on_notification: OnNotification) -> None:
    """Ask the running daemon for a stream, and give on what it brings until the daemon leaves.

    Raises as `ask_daemon`, and whatever `on_notification` raises.
    """
    with _dial_daemon(scope) as connection:
        _call(connection, question, CALL_S, on_notification)
        try:
            connection.listen(on_notification)
        except ProtocolError as error:
            raise from_protocol(error) from error


def require_fields(method: str, answer: object, always: Sequence[str]) -> None:
    """Raise Internal where an answer lacks a field that each has.

    Another program, or another version: what it left out must not be taken for an answer like "nothing runs".
    """
    fields = answer if isinstance(answer, dict) else {}
    missing = [name for name in always if fields.get(name) is None]
    if missing:
        raise Internal(
            f"the daemon answered {method} without {', '.join(missing)}",
            hint="It may be of another version than this command. Look at it: animus daemon status --json",
        )


def _call(
    connection: BlockingConnection,
    question: Question[Any],
    timeout_s: float,
    on_notification: OnNotification = lambda _method, _params: None,
) -> Any:
    method, params = question.method, question.params
    try:
        answer = connection.call(method, params, timeout_s=timeout_s, on_notification=on_notification)
    except ProtocolError as error:
        raise refusal_of(error, method, params) from error
    require_fields(method, answer, question.always)
    return answer


def _own_or_dial(scope: Scope) -> HeldLock | BlockingConnection:
    """The scope's lock, or a connection to the daemon that holds it. Raises Conflict.

    A command that works without a daemon holds the lock for a moment, a daemon answers at its socket.
    """
    taken: list[HeldLock] = []

    def is_owned() -> bool:
        # Only the lock says whether a daemon lives; the socket's file may be left from a daemon that was killed.
        held = acquire(scope.daemon_lock)
        if held is not None:
            taken.append(held)
        return held is None

    found = dial_while(scope.control_socket, is_owned, timeout_s=TURN_S)
    if taken:
        return taken[0]
    if found is None:
        raise silent_holder(scope)
    return found


def _dial_daemon(scope: Scope) -> BlockingConnection:
    def is_running() -> bool:
        if not daemon_is_running(scope):
            raise no_daemon()
        return True

    found = dial_while(scope.control_socket, is_running, timeout_s=COMING_S)
    if found is None:
        raise silent_holder(scope)
    return found
