"""The host that the suite plays, towards plugins that say strange things, and while its own work is cut off."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE
from animus_conformance.wire.group import Launch
from animus_conformance.wire.host import Host
from animus_conformance.wire.observer import Observed
from animus_conformance.wire.process import PluginProcess

WITHIN_S: Final = 20.0
ECHO: Final = """\
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "say" in message.get("params", {}):
        sys.stdout.write(message["params"]["say"] + "\\n")
    if "method" in message:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": message}) + "\\n")
    else:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "method": "heard", "params": message}) + "\\n")
    sys.stdout.flush()
"""


@asynccontextmanager
async def echo(observed: Observed | None = None) -> AsyncIterator[Host]:
    """Speaks with a plugin that first says what it is told to, and then answers."""
    launch = Launch([sys.executable, "-u", "-c", ECHO], Path.cwd(), dict(os.environ))
    host = Host(await PluginProcess.start(launch), Path.cwd(), DEFAULT_PROFILE, Patience(), observed or Observed())
    try:
        yield host
    finally:
        await host.close()


async def test_half_a_surrogate_pair_in_an_id_goes_back_as_it_came() -> None:
    async with echo() as host:
        await host.ask("x", {"say": r'{"jsonrpc":"2.0","id":"\ud83d","method":"ask"}'})
        notification = await host.notifications.next("heard")
        assert notification is not None
        assert notification.params["id"] == "\ud83d"
        assert (await host.ask("x")).error is None


@pytest.mark.parametrize("odd", ['{"a": 1}', "[1]"])
async def test_a_refusal_may_carry_an_id_that_is_none_when_such_a_message_was_sent(odd: str) -> None:
    refusal = f'{{"jsonrpc":"2.0","id":{odd},"error":{{"code":-32600,"message":"no"}}}}'

    async def sent(host: Host) -> None:
        host.allow(json.loads(odd))
        await host.ask("x", {"say": refusal})

    async def never_sent(host: Host) -> None:
        await host.ask("x", {"say": refusal})

    async def answered(host: Host) -> None:
        host.allow(json.loads(odd))
        await host.ask("x", {"say": f'{{"jsonrpc":"2.0","id":{odd},"result":{{}}}}'})

    for work, count in ((sent, 0), (never_sent, 1), (answered, 1)):
        observed = Observed()
        async with echo(observed) as host:
            await work(host)
        assert len(observed.violations.of("wire.answers-only-what-was-asked")) == count


async def test_a_wait_that_is_cut_off_as_the_answer_comes_is_cut_off() -> None:
    async with echo() as host:
        request_id = host.send("x")

        async def cut() -> None:
            await host.reply(request_id)  # this wait began first, so the other one has its answer and has not gone on
            waiting.cancel()

        cutting = asyncio.create_task(cut())
        waiting = asyncio.create_task(host.reply(request_id))
        await cutting
        with pytest.raises(asyncio.CancelledError):
            await waiting
