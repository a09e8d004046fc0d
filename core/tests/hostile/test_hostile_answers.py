"""Plugins that answer too often, too early, the wrong thing or no JSON at all: no caller gets what is not its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from animus_protocol.errors import RpcError

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
# What a call to each gives: a result, an error of the plugin's own, or nothing before its deadline.
RESULTS: dict[str, Any] = {
    "same_keys": {"n": 3},
    "half_a_pair": {"text": "\ufffd"},
    "many_keys": {str(key): 1 for key in range(100_000)},
}
REFUSALS = {
    "both": r"both \(-32603\)",
    "error_is_text": "malformed error object",
    "error_is_odd": r"\(-32603\)",
}
DROPPED = [
    "invalid_utf8",
    "utf16",
    "deep_list",
    "deep_object",
    "never_closed",
    "truncated",
    "truncated_text",
    "nan",
    "infinity",
    "nul",
    "two_values",
    "single_quotes",
    "no_result",
]


async def test_a_second_answer_is_nobodys(host: Host) -> None:
    twice = host.plugin("answers_twice.py")
    for _ in range(3):
        await asyncio.gather(*(twice.echo(number) for number in range(100)))
    assert (await twice.supervised.session()).peer.dropped_frames >= 300


async def test_answers_with_ids_that_nobody_asked_for_are_nobodys(host: Host) -> None:
    wrong = host.plugin("wrong_ids.py")
    for number in range(10):
        assert await wrong.ask("echo", n=number, right=True) == {"n": number, "right": True}
    async with host.neighbour_answers():
        with wrong.fails("did not answer echo within 0.5 s"):
            await wrong.ask("echo", n=1, timeout_s=0.5)
    assert await wrong.ask("echo", n=2, right=True) == {"n": 2, "right": True}


async def test_an_answer_from_before_the_question_is_nobodys(host: Host) -> None:
    early = host.plugin("answers_early.py")
    for number in range(50):
        await early.echo(number)


@pytest.mark.parametrize("line", DROPPED)
async def test_a_line_that_is_no_answer_fails_its_call_by_the_deadline_and_costs_no_other(
    host: Host, line: str
) -> None:
    garbled = host.plugin("garbled.py")
    await garbled.echo(1)
    lost = asyncio.ensure_future(garbled.ask(line, timeout_s=1))
    for number in range(10):
        await garbled.echo(number)
    with garbled.fails(f"did not answer {line} within 1 s"):
        await lost
    await garbled.echo(2)
    assert garbled.states == ["starting", "ready"]


@pytest.mark.parametrize("line", RESULTS)
async def test_a_line_that_is_odd_but_json_is_read(host: Host, line: str) -> None:
    garbled = host.plugin("garbled.py")
    assert await garbled.ask(line) == RESULTS[line]
    await garbled.echo(2)


@pytest.mark.parametrize("line", REFUSALS)
async def test_an_odd_error_is_the_plugins_own_refusal(host: Host, line: str) -> None:
    garbled = host.plugin("garbled.py")
    with pytest.raises(RpcError, match=REFUSALS[line]):
        await garbled.ask(line)
    await garbled.echo(2)
    assert garbled.states == ["starting", "ready"]


@pytest.mark.parametrize("line", ["huge_integer", "huge_exponent"])
async def test_a_number_that_no_machine_holds_fails_its_call_or_is_read_and_costs_no_other(
    host: Host, line: str
) -> None:
    garbled = host.plugin("garbled.py")
    await asyncio.gather(garbled.ask(line, timeout_s=1), return_exceptions=True)
    await garbled.echo(2)
    assert garbled.states == ["starting", "ready"]
