"""A plugin's `main()`: the command line, the private wire, and the process's end.

Called by each plugin's console script; below it lie the session and the peer.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from typing import Final, NoReturn

from animus_protocol.errors import ProtocolError
from animus_protocol.models.base import encode
from animus_protocol.peer import Peer
from animus_sdk.plugin import Plugin
from animus_sdk.session import Session
from animus_sdk.stdio import Wire, take_stdio

__all__ = ["serve"]

_STOP_S: Final = 5.0


def serve(plugin_class: type[Plugin]) -> NoReturn:
    """Run `plugin_class` as a plugin process until the host is done with it; never returns.

    Exit codes: 0 after `exit` or the end of input, 2 when started by hand on a terminal or with wrong arguments.
    """
    parser = argparse.ArgumentParser(prog=plugin_class.name, description=plugin_class.description)
    parser.add_argument("-m", "--manifest", action="store_true", help="print the manifest as JSON and exit")
    parser.add_argument("-V", "--version", action="version", version=f"{plugin_class.name} {plugin_class.version}")
    if parser.parse_args().manifest:
        sys.stdout.write(encode(plugin_class.manifest()).decode() + "\n")
        sys.stdout.flush()
        sys.exit(0)
    if os.isatty(0):
        parser.exit(
            2,
            f"{plugin_class.name} is an Animus plugin: a host starts it and speaks JSON-RPC on its stdin.\n"
            f"Look at it with --manifest, or try it with: animus plugin ping {plugin_class.name}\n",
        )
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    wire = take_stdio()
    asyncio.run(_serve(plugin_class, wire))
    sys.stderr.flush()
    os._exit(0)  # not sys.exit: a worker thread of the author's must not keep a finished plugin alive


async def _serve(plugin_class: type[Plugin], wire: Wire) -> None:
    session = Session(plugin_class())
    peer = Peer(wire.read_fd, wire.write_fd, session, name="host", on_end=lambda _: session.ended.set())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, session.ended.set)
    await session.ended.wait()
    try:
        async with asyncio.timeout(_STOP_S):
            await peer.aclose()
            await session.close()
    except (TimeoutError, ProtocolError):
        logging.getLogger("animus.plugin").warning("stopped in the middle of its work after %g s", _STOP_S)
