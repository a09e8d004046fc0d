"""A tiny launcher that ties a program to its parent's life and then becomes that program.

Run by `process.py` as `python -I -S launch.py PARENT_PID PROGRAM [ARG...]`; it imports nothing of ours. The kernel
ends the program with SIGKILL when the parent dies (Linux); elsewhere a plugin notices the end of its input instead,
and what is left over is found by its cookie at the next start. A launcher is used because Python code between fork
and exec (`preexec_fn`) is unsafe in a process with threads and slow in a big one.
"""

import os
import sys


def main() -> None:
    """Set the parent-death signal, make sure that the parent still lives, exec."""
    parent_pid, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal, sigkill = 1, 9
        ctypes.CDLL(None).prctl(set_parent_death_signal, sigkill, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit(1)  # the parent died before the signal was set
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main()
