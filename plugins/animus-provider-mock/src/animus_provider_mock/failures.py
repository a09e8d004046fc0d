"""The ways to fail that a script can ask for, each as a broken provider would do it.

Below it lie the process itself and the raw wire.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

from animus_provider_mock.model import Fail
from animus_sdk import NotSupported, RpcError

__all__ = ["RawWire", "fail", "stay_if_hung"]

_TURNS: Final = 5
_HUNG: Final = threading.Event()


class RawWire:
    """A second descriptor of the wire, past the SDK, for lines that no SDK would send; None: there is no wire."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    async def write_line(self, text: str) -> None:
        """Write `text` and a line end, unaltered. Raises NotSupported where the process has no wire."""
        if self._descriptor is None:
            raise NotSupported("fail: garbage needs a plugin process with a wire of its own")
        left = text.encode() + b"\n"
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                await _writable(self._descriptor)


async def fail(step: Fail, message: str, data: Any, garbage: Callable[[str], Awaitable[None]]) -> None:
    """Fail as `step.how` says; returns only after `garbage`. Raises RpcError for `error`."""
    if step.how == "error":
        raise RpcError(step.number, message, data)
    if step.how == "hang":  # at once: what was said leaves by itself, and no cancellation may come in between
        await _hang()
    for _ in range(_TURNS):  # the SDK sends at the end of a turn of the loop: what was said before is to be read
        await asyncio.sleep(0)
    match step.how:
        case "exit":
            os._exit(step.number)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            await garbage(message)


def stay_if_hung() -> None:
    """Where a session hangs, the process hangs at its end too: only SIGKILL ends it."""
    if _HUNG.is_set():
        threading.Event().wait()


async def _hang() -> None:
    """Stay for ever: neither a cancellation nor the end of the connection is heard."""
    _HUNG.set()
    never = asyncio.Event()
    while True:
        try:
            await never.wait()
        except asyncio.CancelledError:
            continue


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    copy = os.dup(descriptor)  # the SDK may watch the original: a loop watches a descriptor once
    loop.add_writer(copy, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(copy)
        os.close(copy)
