"""A plugin's `main()`: the class, the command line, and then `serving.py`, which is imported for a host alone.

So `--manifest` and a mistake in the class need no event loop.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, NoReturn

from animus_sdk.plugin import Plugin, is_inherited

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
    from animus_sdk.serving import run

    run(plugin_class, **timings._asdict())


def _answer_command_line(plugin_class: type[Plugin]) -> None:
    """`--manifest`, `--version`, `--help`; returns only when there was nothing to answer."""
    import argparse  # a host gives no arguments, and waits for the first reply

    parser = argparse.ArgumentParser(prog=plugin_class.name, description=plugin_class.description)
    parser.add_argument("-m", "--manifest", action="store_true", help="print the manifest as JSON and exit")
    parser.add_argument("-V", "--version", action="version", version=f"{plugin_class.name} {plugin_class.version}")
    if parser.parse_args().manifest:
        sys.stdout.buffer.write(_manifest(plugin_class) + b"\n")  # UTF-8, whatever the locale says
        sys.stdout.flush()
        sys.exit(0)


def _manifest(plugin_class: type[Plugin]) -> bytes:
    if is_inherited(plugin_class, "manifest") and (plain := plugin_class.profile().manifest_json()) is not None:
        return plain
    from animus_protocol.encoding import encode

    return encode(plugin_class.manifest())
