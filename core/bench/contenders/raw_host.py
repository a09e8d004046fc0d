"""RAW: encoded frames of 200 bytes over a pipe and back, without any JSON; what Python and the kernel cost alone."""

from __future__ import annotations

import os
import subprocess
import sys

from contenders.cells import orders, repeat, report, same
from contenders.payload import RAW_FRAME


def main() -> None:
    """Serve the cells of RAW."""
    with subprocess.Popen(
        [sys.executable, "-m", "contenders.raw_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("no pipes")
        write_fd, read_fd = child.stdin.fileno(), child.stdout.fileno()

        def echo() -> bytes:
            os.write(write_fd, RAW_FRAME)
            answer = os.read(read_fd, 65536)
            while len(answer) < len(RAW_FRAME):
                answer += os.read(read_fd, 65536)
            return answer

        same(RAW_FRAME, echo())
        for order in orders(("sequential",)):
            report(repeat(echo, order.seconds))


if __name__ == "__main__":
    main()
