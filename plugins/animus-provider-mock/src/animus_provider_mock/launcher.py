"""Becomes the program that a `run` step names, after tying its life to the plugin's.

A script of its own, so it imports nothing of this package. Arguments: the plugin's process id, then the command.
"""

from __future__ import annotations

import os
import signal
import sys


def main(plugin_pid: int, command: list[str]) -> None:
    """Ask to be killed with the plugin (Linux), then become `command`; exits 127 when that cannot be run."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != plugin_pid:  # it died before the request was made
            os._exit(137)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
