"""A tiny launcher that ties a program to its parent's life, limits it, and then becomes that program.

`python -I -S launch.py PARENT_PID LIMITS PROGRAM [ARG...]`; it imports nothing of ours. The
kernel ends the program with SIGKILL when the parent dies (Linux); elsewhere a plugin notices the end of its input
instead, and what is left over is found by its cookie at the next start. A launcher is used because Python code between
fork and exec (`preexec_fn`) is unsafe in a process with threads and slow in a big one. LIMITS is `-`, or
`memory=BYTES,cpu=SECONDS,files=NUMBER` with any of the three.
"""

import os
import sys

CANNOT_START = "cannot start "
"""What stderr begins with when it could not become the program; then it exits with 126 or 127."""
_CPU_GRACE_S = 5  # between SIGXCPU, which a program may catch to say why, and the SIGKILL of the hard limit


def main() -> None:
    """Set the limits and the parent-death signal, make sure that the parent still lives, exec."""
    parent_pid, limits, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if limits != "-":
        _limit(dict(part.split("=") for part in limits.split(",")))
    if sys.platform == "linux":
        import ctypes

        # PR_SET_PDEATHSIG (prctl(2)); it survives execve, unless the program is set-user-ID.
        set_parent_death_signal, sigkill = 1, 9
        ctypes.CDLL(None).prctl(set_parent_death_signal, sigkill, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit(1)  # the parent died before the signal was set
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"{CANNOT_START}{program[0]}: {error.strerror}\n")
        # As a shell says it: 127 not found, 126 found and not executable.
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def _limit(limits: "dict[str, str]") -> None:
    import resource

    # Private writable memory where the kernel can count it (Linux 4.7); an address space may be much larger than that.
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    kinds = {"memory": memory, "cpu": resource.RLIMIT_CPU, "files": resource.RLIMIT_NOFILE}
    for name, text in limits.items():
        soft = int(text)
        hard = soft + _CPU_GRACE_S if name == "cpu" else soft  # SIGXCPU first, SIGKILL for who ignores it
        # A limit above the hard one that we have ourselves is refused by the kernel, and the plugin would not start.
        most = resource.getrlimit(kinds[name])[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kinds[name], (soft, hard))


if __name__ == "__main__":
    main()
