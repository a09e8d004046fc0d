"""Streams of the daemon as JSON lines on standard output, until interrupted: without the envelope.

Below lies the control client.
"""

from __future__ import annotations

import asyncio
import json
import sys

from animus_core.control.client import connect_control
from animus_core.errors import RetryLater
from animus_core.store.paths import Scope
from animus_protocol.connection import Notification
from animus_protocol.models.base import Method, Params
from animus_protocol.models.common import Watching
from animus_protocol.models.control.daemon import SUBSCRIPTION_CLOSED

__all__ = ["follow"]


def follow(scope: Scope, method: Method[Params, Watching], params: Params, item: str) -> None:
    """Print the `data` of every notification called `item` until the daemon leaves.

    Raises RetryLater when there is no daemon or it ends the stream, BrokenPipeError when nobody reads any more.
    """
    asyncio.run(_follow(scope, method, params, item))


async def _follow(scope: Scope, method: Method[Params, Watching], params: Params, item: str) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def show(notification: Notification) -> None:
        # Items that are on their way may still come after the end; a second end would raise.
        if over.done():
            return
        if notification.method == SUBSCRIPTION_CLOSED.name:
            over.set_exception(RetryLater(f"the daemon has ended the stream: {notification.params.get('reason')}"))
        if notification.method != item:
            return
        try:
            sys.stdout.write(json.dumps(notification.params["data"], ensure_ascii=False) + "\n")
            # Each line at once: whoever reads through a pipe waits for it.
            sys.stdout.flush()
        except BrokenPipeError as error:
            over.set_exception(error)

    async with connect_control(scope, show) as control:
        await control.call(method, params)
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(control.ended())
            # Two ends, the stream's and the connection's: the first one is the end of the command.
            over.add_done_callback(lambda _: ended.cancel())
        if over.done():
            over.result()
