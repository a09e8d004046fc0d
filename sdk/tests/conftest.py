"""Coroutines as tests: each runs in a loop of its own under a deadline, and fails for what it leaves behind.

What it may leave behind: tasks, open descriptors, errors that nobody handled.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Coroutine
from typing import Any

import pytest

DEADLINE_S = 20.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function in a loop of its own; None leaves every other test to pytest."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    before = _open_descriptors()
    asyncio.run(_checked(test(**arguments)))
    left = _open_descriptors() - before
    assert not left, f"the test leaves descriptors open: {sorted(left)}"
    return True


async def _checked(test: Coroutine[Any, Any, None]) -> None:
    unhandled: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(repr(context)))
    async with asyncio.timeout(DEADLINE_S):
        await test
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"the test leaves tasks running: {left}"
    assert not unhandled, f"the loop met unhandled errors: {unhandled}"


def _open_descriptors() -> set[tuple[str, str]]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found
