"""Where a process of the core logs: stderr, which its starter has pointed at a file.

Secrets never reach a log: nothing logs environments. Below lies the standard library.
"""

from __future__ import annotations

import logging
import sys
import time

__all__ = ["log_to_stderr"]


def log_to_stderr(process: str, level: int = logging.INFO) -> None:
    """One line a record: UTC time, level, process, logger, message."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)s {process} %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.raiseExceptions = False  # a log without room must not fill up with complaints about itself
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
