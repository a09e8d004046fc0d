"""A process group is asked to end, has its time to do so, and is killed after that."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from animus_core.store.process_group import end_group

OBEYS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


async def stopped(code: str) -> asyncio.subprocess.Process:
    """A process in a session of its own that has carried out `code` and is stopped now, as by Ctrl-Z."""
    stop = "os.kill(os.getpid(), signal.SIGSTOP)\nwhile True:\n    signal.pause()\n"
    program = f"import os, signal, sys\n{code}{stop}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, start_new_session=True)
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    return process


@pytest.mark.parametrize(("code", "grace_s", "returncode"), [(OBEYS, 30.0, 7), (IGNORES, 0.1, -signal.SIGKILL)])
async def test_a_stopped_program_is_continued_so_that_it_can_obey_and_killed_if_it_does_not(
    code: str, grace_s: float, returncode: int
) -> None:
    process = await stopped(code)
    await end_group(process.pid, process.wait, grace_s)
    assert await process.wait() == returncode
