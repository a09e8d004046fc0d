"""What the SDK sees an author do wrong while the plugin runs stands on its standard error, with the method's name."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

BLOCKED = re.compile(r"WARNING animus\.plugin: (\S+) blocked the event loop for ([0-9.]+) s")


@pytest.fixture
def careless(spawn: Callable[..., Any]) -> Any:
    """`careless.py`, initialized."""
    plugin = spawn("careless.py")
    plugin.initialize()
    return plugin


def blocked(stderr: str) -> list[tuple[str, float]]:
    """Who blocked the loop, and for how long, as standard error has it."""
    return [(name, float(long_s)) for name, long_s in BLOCKED.findall(stderr)]


def test_output_that_is_not_awaited_is_told_once_with_the_method_and_its_line(careless: Any) -> None:
    result = careless.result("agent/run", {"prompt": "p", "cwd": "/"})
    assert result["output"] == "sent"
    careless.result("careless/log")
    stderr = careless.stderr_until("ctx.wait(ctx.log(…)) in a plain function")
    assert re.search(
        r"careless\.py:\d+: RuntimeWarning: Careless\.run does not await ctx\.output\(…\), so nothing was sent: "
        r"write await ctx\.output\(…\)",
        stderr,
    )
    assert "Careless.forget_on_a_thread does not await ctx.log(…)" in stderr
    assert stderr.count("RuntimeWarning") == 2
    assert "never awaited" not in stderr


def test_a_method_that_blocks_the_loop_is_told_once_with_how_long(careless: Any) -> None:
    careless.result("careless/sleep", {"long_s": 3.0})
    careless.result("careless/sleep", {"long_s": 1.5})
    careless.result("careless/compute", {"long_s": 1.4})
    ((first, slept_s), (second, computed_s)) = blocked(careless.stderr_until("Careless.compute blocked"))
    assert (first, second) == ("Careless.sleep", "Careless.compute")
    assert 1.0 <= slept_s <= 3.5
    assert computed_s >= 1.0


def test_who_waits_or_works_on_a_thread_blocks_nobody(careless: Any) -> None:
    careless.result("careless/on-a-thread", {"long_s": 1.5})
    careless.result("careless/wait", {"long_s": 1.5})
    numbers = [careless.send("careless/sleep", {"long_s": 0.3}) for _ in range(6)]
    for number in numbers:
        assert "error" not in careless.reply(number)
    careless.result("careless/nap", {"long_s": 3.0})
    assert [name for name, _ in blocked(careless.stderr_until("Careless.nap blocked"))] == ["Careless.nap"]


def test_a_process_that_was_stopped_has_blocked_nothing(careless: Any) -> None:
    number = careless.send("careless/sleep", {"long_s": 0.5})
    careless.stderr_until("begun")
    os.kill(careless.process.pid, signal.SIGSTOP)
    time.sleep(2.0)  # no wait for anything: to stand still for so long is what is tested
    os.kill(careless.process.pid, signal.SIGCONT)
    assert "error" not in careless.reply(number)
    careless.result("careless/nap", {"long_s": 3.0})
    assert [name for name, _ in blocked(careless.stderr_until("Careless.nap blocked"))] == ["Careless.nap"]
