"""The requests of one connection, by their ids, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from animus_conformance.verdict import Failed
from animus_conformance.wire.messages import Reply

__all__ = ["Requests"]


class Requests:
    """Each id is sent once. A reply settles its request; a second one, or one to no request, is a violation."""

    def __init__(self) -> None:
        self._waiting: dict[int | str, asyncio.Future[Reply]] = {}
        self._methods: dict[int | str, str] = {}
        self._answered: set[int | str] = set()
        self._allowed: list[Any] = []

    def add(self, request_id: int | str, method: str) -> None:
        """A request with this id is sent, and its reply is waited for from now on."""
        self._waiting[request_id] = asyncio.get_running_loop().create_future()
        self._methods[request_id] = method

    def allow(self, request_id: Any) -> None:
        """A message with an id that is no id is sent: a refusal may carry it, or none may come."""
        self._allowed.append(request_id)

    def is_settled(self, request_id: int | str) -> bool:
        """Whether the reply is there, or can no longer come."""
        return self._waiting[request_id].done()

    async def reply(self, request_id: int | str, within_s: float) -> Reply:
        """The reply to a request. Raises Failed when none comes within so many seconds."""
        method = self._methods[request_id]
        try:
            async with asyncio.timeout(within_s):
                # Shielded: whoever gives up waiting must not take the reply away from somebody who asks later.
                return await asyncio.shield(self._waiting[request_id])
        except TimeoutError:
            raise Failed(f"{method} (id {request_id!r}) got no answer within {within_s:g} s") from None
        except _WireEnded as ended:
            raise Failed(f"{method} (id {request_id!r}) got no answer: {ended}") from None

    def settle(self, message: Mapping[str, Any], text: str, notifications_before: int) -> tuple[str, str] | None:
        """Take a message without a method. What is wrong with it, as requirement id and sentence, or None."""
        request_id = message.get("id")
        if request_id is None:
            return None  # the answer to a malformed frame
        # JSON's true equals 1 in Python, and would settle somebody else's request.
        known = isinstance(request_id, int | str) and not isinstance(request_id, bool)
        waiter = self._waiting.get(request_id) if known else None
        if waiter is None:
            if "error" in message and request_id in self._allowed:
                return None
            return "wire.answers-only-what-was-asked", f"a reply to an id that was not sent: {text:.200}"
        if request_id in self._answered:
            return "wire.answers-once", f"{self._methods[request_id]} was answered twice: {text:.200}"
        self._answered.add(request_id)
        if not waiter.done():
            waiter.set_result(Reply(message.get("result"), _error_in(message), notifications_before))
        return None

    def end(self, why: str) -> None:
        """No reply will come any more: whoever waits learns why."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(_WireEnded(why))

    def close(self) -> None:
        """Nobody asks any more."""
        for waiter in self._waiting.values():
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # asyncio warns of errors that nobody has asked for
            waiter.cancel()


class _WireEnded(Exception):
    """The connection is over."""


def _error_in(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error object; one of another shape is told of elsewhere, and is an error here all the same."""
    error = message.get("error")
    return error if error is None or isinstance(error, Mapping) else {"code": None, "message": repr(error)}
