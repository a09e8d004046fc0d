"""A plugin process that a host speaks with: the private wire, the event loop, and the process's end.

Below it lie the session and the peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
from typing import NoReturn

from animus_protocol.crash_points import set_role
from animus_protocol.errors import ProtocolError
from animus_protocol.peer import Peer
from animus_sdk.loop_watch import watch_loop
from animus_sdk.plugin import Plugin
from animus_sdk.session import Session, State
from animus_sdk.stdio import PrivateWire, take_stdio

__all__ = ["run"]


def run(plugin_class: type[Plugin], *, drain_s: float, stop_s: float, grace_s: float) -> NoReturn:
    """Answer the host at standard input and output until it is done; never returns.

    The waits are those of `EndTimings` in `process.py`.
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    set_role(plugin_class.plugin_kind)
    # Before any code of the author's runs: a `print` in its `__init__` would already be in the middle of the wire.
    wire = take_stdio()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    serving = loop.create_task(_serve(plugin_class, wire, drain_s, stop_s, grace_s))
    while True:
        try:
            loop.run_until_complete(serving)
        except (SystemExit, KeyboardInterrupt):  # of a task that the author's code made: it ends, and nothing else
            if serving.done():
                raise
            logging.getLogger("animus.plugin").exception("a task of the plugin's code wants to end the process")


async def _serve(
    plugin_class: type[Plugin], wire: PrivateWire, drain_s: float, stop_s: float, grace_s: float
) -> NoReturn:
    session = Session(plugin_class())
    peer = Peer(wire.read_fd, wire.write_fd, session, name="host", on_end=lambda _: session.ended.set())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, session.ended.set)
    watch_loop(loop)
    await session.ended.wait()
    faulthandler.dump_traceback_later(drain_s + stop_s + grace_s, exit=True)
    if peer.ended.done() and session.state is not State.ENDED:
        await peer.idle(loop.time() + drain_s)  # a host that only closed our stdin may still read
    try:
        async with asyncio.timeout(stop_s):
            await peer.aclose()
            await session.close()
    except (TimeoutError, ProtocolError):
        logging.getLogger("animus.plugin").warning("stopped in the middle of its work after %g s", stop_s)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(0)  # no return: asyncio would wait for the author's threads, and they must not keep us alive
