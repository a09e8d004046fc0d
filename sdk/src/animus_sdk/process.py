"""A plugin's `main()`: the command line, the private wire, and the process's end.

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
from typing import NamedTuple, NoReturn

from animus_protocol.crash_points import set_role
from animus_protocol.errors import ProtocolError
from animus_protocol.models.base import encode
from animus_protocol.peer import Peer
from animus_sdk.loop_watch import watch_loop
from animus_sdk.plugin import Plugin
from animus_sdk.session import Session, State
from animus_sdk.stdio import PrivateWire, take_stdio

__all__ = ["EndTimings", "serve", "serve_within"]


class EndTimings(NamedTuple):
    """How long a process waits for the plugin's own code at its end, in seconds."""

    # Like in `session.py`: less than the 2 s that a host waits before it sends SIGTERM (protocol §2).
    drain_s: float = 1.2
    stop_s: float = 5.0
    # After both waits an author's code still holds the loop: the process ends itself, with the stack on stderr.
    grace_s: float = 1.0


def serve(plugin_class: type[Plugin]) -> NoReturn:
    """Run `plugin_class` as a plugin process until the host is done with it; never returns.

    Exit codes: 0 after `exit` or the end of input; 1 when the class itself is wrong (stderr says what to write), or
    when the plugin's code does not let go for 7 s after its end (its stack is on stderr then); 2 when started by hand
    on a terminal or with wrong arguments.
    """
    serve_within(plugin_class, EndTimings())


def serve_within(plugin_class: type[Plugin], timings: EndTimings) -> NoReturn:
    """Like `serve`, with other waits at the end."""
    # First of all: a class that is wrong has no manifest to print either.
    mistakes = plugin_class.mistakes()
    if mistakes:
        sys.exit("\n".join(mistakes))
    if len(sys.argv) > 1:
        _answer_command_line(plugin_class)
    # A hint and exit code 2 instead of silence: a person would wait for a prompt for ever (protocol §2).
    if os.isatty(0):
        sys.stderr.write(
            f"{plugin_class.name} is an Animus plugin: a host starts it and speaks JSON-RPC on its stdin.\n"
            f"To see what it is: {plugin_class.name} --manifest\n"
        )
        sys.exit(2)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    set_role(plugin_class.plugin_kind)
    # Before any code of the author's runs: a `print` in its `__init__` would already be in the middle of the wire.
    wire = take_stdio()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    serving = loop.create_task(_serve(plugin_class, wire, timings))
    while True:
        try:
            loop.run_until_complete(serving)
        except (SystemExit, KeyboardInterrupt):  # of a task that the author's code made: it ends, and nothing else
            if serving.done():
                raise
            logging.getLogger("animus.plugin").exception("a task of the plugin's code wants to end the process")


def _answer_command_line(plugin_class: type[Plugin]) -> None:
    """`--manifest`, `--version`, `--help`; returns only when there was nothing to answer."""
    import argparse  # a host gives no arguments, and waits for the first reply

    parser = argparse.ArgumentParser(prog=plugin_class.name, description=plugin_class.description)
    parser.add_argument("-m", "--manifest", action="store_true", help="print the manifest as JSON and exit")
    parser.add_argument("-V", "--version", action="version", version=f"{plugin_class.name} {plugin_class.version}")
    if parser.parse_args().manifest:
        sys.stdout.buffer.write(encode(plugin_class.manifest()) + b"\n")  # UTF-8, whatever the locale says
        sys.stdout.flush()
        sys.exit(0)


async def _serve(plugin_class: type[Plugin], wire: PrivateWire, timings: EndTimings) -> NoReturn:
    session = Session(plugin_class())
    peer = Peer(wire.read_fd, wire.write_fd, session, name="host", on_end=lambda _: session.ended.set())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, session.ended.set)
    watch_loop(loop)
    await session.ended.wait()
    faulthandler.dump_traceback_later(sum(timings), exit=True)
    if peer.ended.done() and session.state is not State.ENDED:
        await peer.idle(loop.time() + timings.drain_s)  # a host that only closed our stdin may still read
    try:
        async with asyncio.timeout(timings.stop_s):
            await peer.aclose()
            await session.close()
    except (TimeoutError, ProtocolError):
        logging.getLogger("animus.plugin").warning("stopped in the middle of its work after %g s", timings.stop_s)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(0)  # no return: asyncio would wait for the author's threads, and they must not keep us alive
