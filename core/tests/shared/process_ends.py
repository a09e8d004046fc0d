"""Real processes by the configuration directory in their environment, and their ends, waited for."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

STOP_S = 20.0


def processes_of(config_dir: Path) -> dict[int, str]:
    """The processes whose environment names this configuration directory, with their command lines."""
    wanted = os.fsencode(f"ANIMUS_CONFIG_DIR={config_dir}")
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def end_process(pid: int, number: signal.Signals) -> None:
    """Signal a process, which need not be ours, and wait until it has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    wait_gone(pid)


def wait_gone(*pids: int) -> None:
    """Return when all these processes have ended; they may be nobody's children, and need not be reaped yet."""
    for pid in pids:
        assert leaves(pid, STOP_S), f"process {pid} did not end within {STOP_S:g} s"


def leaves(pid: int, timeout_s: float = 5.0) -> bool:
    """Whether a process ends in time: one that is told to stop frees its lock a moment before it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([handle], [], [], timeout_s)
        return bool(ready)
    finally:
        os.close(handle)
