"""The fake daemon answers as the control protocol says, and can be held, stopped and started (protocol §5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from animus_conformance.control.answers import ANSWERS, STREAMS, TELLING
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_protocol.models.base import Method
from animus_protocol.models.control import daemon, plugin, project, queue, subject, workflow

ROWS: Final[dict[str, Method[Any, Any]]] = {
    row.name: row
    for module in (daemon, plugin, project, queue, subject, workflow)
    for row in vars(module).values()
    if isinstance(row, Method)
}
WITHIN_S: Final = 5.0


class Client:
    """A connection to the daemon."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, **message: Any) -> None:
        self.send_raw(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def send_raw(self, line: bytes) -> None:
        self._writer.write(line + b"\n")

    async def received(self) -> Any:
        return json.loads(await asyncio.wait_for(self._reader.readline(), WITHIN_S))

    async def ask(self, method: str, **params: Any) -> Any:
        self.send(id=1, method=method, params=params)
        return await self.received()

    async def is_cut_off(self) -> bool:
        try:
            return not await asyncio.wait_for(self._reader.read(1), WITHIN_S)
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()


async def dial(fake: FakeDaemon) -> Client:
    return Client(*await asyncio.open_unix_connection(str(fake.path)))


@pytest.fixture
async def fake() -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon.running() as daemon:
        yield daemon


@pytest.fixture
async def client(fake: FakeDaemon) -> AsyncIterator[Client]:
    """A connection to the daemon."""
    dialled = await dial(fake)
    yield dialled
    dialled.close()


@pytest.mark.parametrize("method", ANSWERS)
async def test_every_answer_has_the_type_of_the_control_protocol(method: str, client: Client) -> None:
    reply = await client.ask(method)
    wanted = ROWS[method].result
    assert wanted is not None
    wanted.model_validate(reply["result"])
    shown = json.dumps(reply["result"], ensure_ascii=False)
    assert all(json.dumps(word, ensure_ascii=False)[1:-1] in shown for word in TELLING[method])


@pytest.mark.parametrize("method", STREAMS)
async def test_a_stream_is_acknowledged_and_its_items_have_their_type(
    method: str, fake: FakeDaemon, client: Client
) -> None:
    assert (await client.ask(method))["result"] == {"watching": True}
    assert await fake.is_listened_to(WITHIN_S)
    fake.tell("lantern")
    answer = await client.received()
    assert answer["method"] == STREAMS[method]
    assert answer["params"]["id"] == 1
    ROWS[answer["method"]].params.model_validate(answer["params"])
    assert "lantern" in json.dumps(answer)


async def test_a_cancelled_stream_tells_nothing_more(fake: FakeDaemon, client: Client) -> None:
    await client.ask("daemon/events")
    client.send(method="$/cancelRequest", params={"id": 1})
    await client.ask("daemon/status")  # is answered when the cancellation has been read
    fake.tell("lantern")
    assert "result" in await client.ask("daemon/status")


async def test_requests_are_recorded_in_their_order(fake: FakeDaemon, client: Client) -> None:
    await client.ask("subject/list", filter={"limit": 1})
    await client.ask("queue/stats")
    assert [tuple(one) for one in fake.asked] == [("subject/list", {"filter": {"limit": 1}}), ("queue/stats", {})]
    assert (await fake.was_asked(after=1, within_s=WITHIN_S)) == ("queue/stats", {})
    assert await fake.was_asked(after=2, within_s=0.01) is None


async def test_unknown_methods_and_malformed_lines_are_refused(client: Client) -> None:
    unknown = await client.ask("subject/none")
    assert (unknown["error"]["code"], unknown["error"]["data"]["category"]) == (-32601, "not_supported")
    for line, code in ((b"hello", -32700), (b"[]", -32600), (b'{"method": 7}', -32600)):
        client.send_raw(line)
        assert (await client.received())["error"]["code"] == code


async def test_answers_that_are_held_back_come_when_they_are_released(fake: FakeDaemon, client: Client) -> None:
    fake.hold()
    client.send(id="held", method="daemon/status", params={})
    await fake.was_asked(within_s=WITHIN_S)
    fake.let_pass()
    client.send(id="passes", method="daemon/status", params={})
    assert (await client.received())["id"] == "passes"
    fake.release()
    assert (await client.received())["id"] == "held"


async def test_a_stopped_daemon_cuts_its_clients_off_and_starts_again_on_the_same_path(
    fake: FakeDaemon, client: Client
) -> None:
    await client.ask("daemon/status")
    await fake.stop()
    assert await client.is_cut_off()
    assert not fake.path.exists()
    await fake.start()
    again = await dial(fake)
    assert (await again.ask("daemon/status"))["result"]["running"] is True
    again.close()


async def test_the_path_stays_short_where_temporary_folders_are_deep(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deep = tmp_path_factory.mktemp("deep") / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    async with FakeDaemon.running() as fake:
        assert len(bytes(fake.path)) <= 100
    assert not [*deep.iterdir()]
