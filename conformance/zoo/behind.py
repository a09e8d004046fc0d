"""The good plugin behind a mutant, in a process that is forked off: nothing is imported a second time for it.

Below it lie the good plugins.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Behind", "become", "printed_by"]


class Behind:
    """The good plugin's process: `output` is a file of its lines, `input_fd` what it reads from."""

    def __init__(self, command: list[str]) -> None:
        read_fd, self.input_fd = os.pipe()
        output_fd, write_fd = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(read_fd, 0)
            os.dup2(write_fd, 1)
            for fd in (read_fd, write_fd, self.input_fd, output_fd):
                os.close(fd)
            become(command)
        os.close(read_fd)
        os.close(write_fd)
        self.output = os.fdopen(output_fd, "rb")

    def wait(self) -> int:
        """Its exit code, as a shell would say it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code if code >= 0 else 128 - code


def printed_by(command: list[str]) -> tuple[bytes, int]:
    """All that a command prints, and its exit code."""
    plugin = Behind(command)
    os.close(plugin.input_fd)
    return plugin.output.read(), plugin.wait()


def become(command: list[str]) -> NoReturn:
    """Be the good plugin, in this process."""
    if command[:2] != [sys.executable, "-S"]:
        os.execvp(command[0], command)
    sys.argv = command[2:]
    folder, script = os.path.split(command[2])
    sys.path[0] = folder
    code = 0
    try:
        import_module(script.removesuffix(".py")).main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        os._exit(code)
