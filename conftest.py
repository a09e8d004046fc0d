"""What holds for the tests of every distribution: how a coroutine is a test, and what it may not leave behind.

`async def test_…` and async fixtures are run by anyio's pytest plugin, on asyncio. This file adds a deadline, and the
demand that a test gives back what it took: tasks, descriptors, and no error of the loop that nobody handled.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

hypothesis.settings.register_profile("workspace", deadline=None)
hypothesis.settings.load_profile("workspace")  # how long one example takes says more of the machine than of us

CLEAN_UP_S = 10.0
"""How long before pytest-timeout the loop's own deadline is, so that what the test opened can still be closed."""

CLOSE_S = 2.0
"""How long after a test its descriptors may still be open."""

Test = Callable[..., Coroutine[Any, Any, None]]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Do not look for garbage while thousands of tests are collected, which all stay: it takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let hypothesis make its tables of Unicode now: once in a fresh clone that takes seconds, more than it grants."""
    if any(item.get_closest_marker("hypothesis") for item in session.items):
        hypothesis.find(st.text(), lambda _: True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Our code runs on asyncio only."""
    return "asyncio"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Put a deadline around a test that is a coroutine function."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        pyfuncitem.obj = _within(_deadline_s(pyfuncitem), test)
    return (yield)


def _within(deadline_s: float | None, test: Test) -> Test:
    @functools.wraps(test)
    async def bounded(**arguments: Any) -> None:
        async with asyncio.timeout(deadline_s):
            await test(**arguments)

    return bounded


def _is_async(test: Callable[..., object]) -> bool:
    """Whether a test is a coroutine function, also below hypothesis."""
    given = getattr(test, "hypothesis", None)
    return inspect.iscoroutinefunction(given.inner_test if given else test)


def _deadline_s(item: pytest.Item) -> float | None:
    """The seconds of `@pytest.mark.timeout` or of the configuration, less what cleaning up may take; 0 is no limit."""
    marker = item.get_closest_marker("timeout")
    option = item.config.getoption("timeout")
    limit = marker.args[0] if marker else item.config.getini("timeout") if option is None else option
    return max(float(limit) - CLEAN_UP_S, 1) if float(limit) else None


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> None:
    """Before every other fixture of an async test, so that what those give back is not counted as left behind."""
    if _is_async(request.function):
        request.getfixturevalue("_descriptors_are_closed")
        request.getfixturevalue("_loop_is_idle")


@pytest.fixture
def _descriptors_are_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    failed, before = request.session.testsfailed, _open_descriptors()
    yield
    deadline = time.monotonic() + CLOSE_S
    # A library may close on a thread of its own (watchfiles does), and no event tells when.
    while (left := _open_descriptors() - before) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert not left or request.session.testsfailed > failed, f"the test leaves descriptors open: {sorted(left)}"


@pytest.fixture
async def _loop_is_idle(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    loop, before, failed = asyncio.get_running_loop(), asyncio.all_tasks(), request.session.testsfailed
    unhandled: list[str] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: unhandled.append(repr(context)))
    yield
    loop.set_exception_handler(handler)
    if request.session.testsfailed > failed:
        return  # what a failed test leaves says nothing
    left = {task for task in asyncio.all_tasks() - before if not _runs_this(task)}
    assert not left, f"the test leaves tasks running: {left}"
    assert not unhandled, f"the loop met errors that nobody handled: {unhandled}"


def _runs_this(task: asyncio.Task[Any]) -> bool:
    """Whether the task is that of the plugin which waits for the fixture that asks."""
    return task.get_coro().__qualname__.startswith("TestRunner.")


def _open_descriptors() -> set[tuple[str, str]]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found
