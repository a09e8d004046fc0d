"""A transport as a host meets it: it binds really, says why it cannot, and always lets go of its address."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from addresses import listens
from pydantic import BaseModel

from animus_protocol.errors import Cancelled, InvalidParams, RpcError
from animus_sdk import Opening, TransportBackend, WebUi
from animus_sdk.testing import Harness

DEADLINE_S = 10.0


class DoorConfig(BaseModel):
    backlog: int = 1
    errno: int | None = None


class Door(TransportBackend[DoorConfig]):
    """Listens, and does nothing else; plain functions, as a blocking server would have them."""

    name = "gate"
    version = "1"
    default_port = 8080

    def open(self, opening: Opening[DoorConfig]) -> str:
        if opening.config.errno is not None:
            raise OSError(opening.config.errno, "no")
        host, _, port = (opening.bind_addr or "127.0.0.1:0").rpartition(":")
        server = socket.socket()
        try:
            server.bind((host, int(port)))
            server.listen(opening.config.backlog)
        except BaseException:
            server.close()
            raise
        self.server = server
        return "{}:{}".format(*server.getsockname())

    def close(self) -> None:
        self.server.close()


def start(**fields: Any) -> dict[str, Any]:
    return {"control_socket_path": "/run/control.sock", "project_root": "/project", **fields}


async def test_a_start_binds_and_a_shutdown_lets_go_as_often_as_it_comes(tmp_path: Path) -> None:
    async with Harness(Door, project_root=tmp_path) as host:
        for _ in range(2):
            info = await host.request("transport/start", start())
            assert listens(info["bound_addr"])
            with pytest.raises(RpcError, match="already listening on 127") as second:
                await host.request("transport/start", start())
            assert (second.value.code, second.value.category) == (-32600, "conflict")
            for _ in range(2):
                assert await host.request("transport/shutdown") == {}
            assert not listens(info["bound_addr"])


async def test_the_address_is_free_after_an_end_without_a_shutdown_of_the_transport(tmp_path: Path) -> None:
    async with Harness(Door, project_root=tmp_path) as host:
        info = await host.request("transport/start", start(config={"backlog": 3}))
        assert listens(info["bound_addr"])
    assert not listens(info["bound_addr"])


async def test_an_address_in_use_is_named_with_its_category(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        async with Harness(Door, project_root=tmp_path) as host:
            with pytest.raises(RpcError, match=f"cannot listen on {address}: Address already in use") as refused:
                await host.request("transport/start", start(bind_addr=address))
            assert (refused.value.code, refused.value.category) == (-32603, "address_in_use")
            assert await host.request("transport/start", start())


@pytest.mark.parametrize(
    ("number", "category"),
    [
        (errno.EACCES, "permission_denied"),
        (errno.EPERM, "permission_denied"),
        (errno.EADDRNOTAVAIL, "invalid_request"),
        (errno.EMFILE, "unavailable"),
    ],
)
async def test_every_other_reason_has_its_category(tmp_path: Path, number: int, category: str) -> None:
    async with Harness(Door, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match="cannot listen on the default address: no") as refused:
            await host.request("transport/start", start(config={"errno": number}))
        assert refused.value.category == category


async def test_a_host_name_that_leads_nowhere_is_an_invalid_request(tmp_path: Path) -> None:
    async with Harness(Door, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"cannot listen on nowhere\.invalid:1") as refused:
            await host.request("transport/start", start(bind_addr="nowhere.invalid:1"))
        assert refused.value.category == "invalid_request"


async def test_a_mistake_in_the_configuration_is_named_and_nothing_is_opened(tmp_path: Path) -> None:
    async with Harness(Door, project_root=tmp_path) as host:
        with pytest.raises(InvalidParams, match="config: backlog: Input should be a valid integer"):
            await host.request("transport/start", start(config={"backlog": "many"}))
        assert await host.request("transport/start", start())


async def test_a_start_that_is_cancelled_in_the_middle_leaves_nothing_open(tmp_path: Path) -> None:
    class Slow(Door):
        begun, go_on = threading.Event(), threading.Event()
        addresses: ClassVar[list[str]] = []

        def open(self, opening: Opening[DoorConfig]) -> str:
            self.begun.set()
            assert self.go_on.wait(DEADLINE_S)
            self.addresses.append(super().open(opening))
            return self.addresses[-1]

    slow = Slow()
    async with Harness(slow, project_root=tmp_path) as host:
        starting = asyncio.create_task(host.request("transport/start", start()))
        assert await asyncio.to_thread(slow.begun.wait, DEADLINE_S)
        await host.notify("$/cancelRequest", {"id": host.request_id("transport/start")})
        with pytest.raises(Cancelled):
            await starting
        slow.go_on.set()
        info = await host.request("transport/start", start())
        assert [listens(address) for address in slow.addresses] == [False, True]
        assert info["bound_addr"] == slow.addresses[1]
    assert not listens(slow.addresses[1])


async def test_the_schema_and_the_kinds_are_those_of_the_class(tmp_path: Path) -> None:
    class Page(WebUi[DoorConfig]):
        name = "page"
        version = "1"
        transport_kinds = ("http", "sse")
        supports_streaming = True

        async def open(self, opening: Opening[DoorConfig]) -> str:
            assert (opening.control_socket_path, opening.project_root) == ("/run/control.sock", "/project")
            assert opening.config == DoorConfig()
            return "http://127.0.0.1:1/"

    async with Harness(Page, project_root=tmp_path) as host:
        assert host.manifest.plugin_kind == "web_ui"
        assert await host.request("transport/schema") == {
            "kinds": ["http", "sse"],
            "supports_streaming": True,
            "supports_websocket": False,
        }
        assert (await host.request("transport/start", start()))["bound_addr"] == "http://127.0.0.1:1/"
