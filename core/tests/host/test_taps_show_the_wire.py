"""A tap shows what a plugin and its session say, byte for byte, and neither of them notices it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_core.errors import PluginFailed
from animus_core.host.session import PluginSession, open_session
from animus_core.host.tap import Direction, Tap
from animus_core.launch_options import SessionTimings
from animus_core.supply.discovery.discover import Plugin
from animus_protocol.models.lifecycle import ProjectBinding

MakePlugin = Callable[..., Plugin]
MEBIBYTE = 1024 * 1024
TALKER = """
print("noise before all else", flush=True)
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "big": reply(request, "x" * (3 << 20))
        case "die":
            keeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
            reply(request, "last words " * 100_000)
            os.write(1, b"half")
            os._exit(3)
        case "flood":
            os.set_blocking(1, False)
            written, poll = 0, __import__("select").poll()
            poll.register(1, 4)
            while poll.poll(300):
                written += os.write(1, b" " * 65535 + b"\\n")
            print(written, file=sys.stderr, flush=True)
            os._exit(0)
        case "shutdown":
            reply(request, {})
            break
        case _: reply(request, {})
"""


class Seen:
    """What a tap showed."""

    def __init__(self) -> None:
        self.said: dict[Direction, bytearray] = {">": bytearray(), "<": bytearray()}
        self.ends: list[Direction] = []
        self.much = asyncio.Event()

    def __call__(self, direction: Direction, chunk: bytes) -> None:
        self.said[direction] += chunk
        if not chunk:
            self.ends.append(direction)
        if len(self.said[direction]) > MEBIBYTE:
            self.much.set()


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def opened(plugin: Plugin, folder: Path, seen: Seen) -> PluginSession:
    return await open_session(
        plugin, ProjectBinding(project_root=str(folder), repo_scope="scope"), cookie="test", tap=Tap(seen)
    )


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_all_that_is_said_is_shown_both_ways_and_nothing_is_left_open(
    make_plugin: MakePlugin, tmp_path: Path, seen: Seen
) -> None:
    before = descriptors()
    session = await opened(make_plugin(TALKER), tmp_path, seen)
    assert await session.call_raw("big", b'{"a":1}', timeout_s=20) == "x" * (3 << 20)
    await session.close()
    assert session.child.returncode == 0
    assert descriptors() == before
    asked = bytes(seen.said[">"]).splitlines()
    assert [line.split(b'"method":"')[1].split(b'"')[0] for line in asked] == [
        *(b"initialize", b"initialized", b"big", b"shutdown", b"exit"),
    ]
    assert asked[2] == b'{"jsonrpc":"2.0","id":2,"method":"big","params":{"a":1}}'
    answered = bytes(seen.said["<"]).splitlines()
    assert answered[0] == b"noise before all else"
    assert answered[2] == b'{"jsonrpc": "2.0", "id": 2, "result": "' + b"x" * (3 << 20) + b'"}'
    assert sorted(seen.ends) == ["<", ">"]


async def test_the_last_words_of_a_plugin_arrive_though_somebody_else_holds_its_pipe(
    make_plugin: MakePlugin, tmp_path: Path, seen: Seen
) -> None:
    session = await opened(make_plugin(TALKER), tmp_path, seen)
    assert await session.call_raw("die", b"{}", timeout_s=20) == "last words " * 100_000
    with pytest.raises(PluginFailed, match=r"it ended \(exit code 3\) during next"):
        await session.call_raw("next", b"{}", timeout_s=20)
    await session.end()
    assert seen.said["<"].endswith(b"\nhalf")


async def test_a_session_that_does_not_read_lets_the_plugin_wait(
    make_plugin: MakePlugin, tmp_path: Path, seen: Seen
) -> None:
    session = await opened(make_plugin(TALKER), tmp_path, seen)
    session.peer.pause("test")
    flooding = asyncio.ensure_future(session.call_raw("flood", b"{}", timeout_s=20))
    await session.child.wait()
    await session.child.drain_stderr()
    written = int(session.child.stderr_tail)
    session.peer.resume("test")
    with pytest.raises(PluginFailed):
        await flooding
    await session.end()
    assert seen.said["<"].count(b" " * 65535) == written // 65536  # nothing of it was lost
    assert MEBIBYTE <= written <= 4 * MEBIBYTE


async def test_a_tap_whose_ends_are_still_open_is_closed_after_a_while(seen: Seen) -> None:
    before = descriptors()
    (out, plugin_out), (plugin_in, into) = os.pipe(), os.pipe()
    tap = Tap(seen)
    for_session = tap.between(out, into)
    await tap.aclose()
    for descriptor in (plugin_out, plugin_in, *for_session):
        os.close(descriptor)
    assert descriptors() == before
    assert sorted(seen.ends) == ["<", ">"]


async def test_a_plugin_that_reads_nothing_is_ended_all_the_same(
    make_plugin: MakePlugin, tmp_path: Path, seen: Seen
) -> None:
    code = "request = next(receive()); reply(request, GREETING); signal.pause()"

    session = await opened(make_plugin(code, timings=SessionTimings(term_s=0.3, flush_s=0.2)), tmp_path, seen)
    call = asyncio.ensure_future(session.call_raw("any", b'{"a":"%s"}' % (b"x" * 3 * MEBIBYTE), timeout_s=30))
    await seen.much.wait()
    await session.end()
    with pytest.raises(PluginFailed):
        await call
    assert session.child.returncode == -signal.SIGTERM
