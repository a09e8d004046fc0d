"""Live plugins, good and bad: greeted, asked, listened to, and ended with everything they started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_core.errors import InvalidInput, PluginFailed
from animus_core.host.session import PluginSession, open_session
from animus_core.supply.discovery.discover import Plugin
from animus_protocol.models.base import Empty, Method
from animus_protocol.models.common import Acknowledged
from animus_protocol.models.lifecycle import ProjectBinding
from process_ends import wait_gone

MakePlugin = Callable[..., Plugin]
ASK = Method("ask", Empty, Acknowledged, "these tests")
PID = Method("pid", Empty, dict[str, int], "these tests")
GOOD = """
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "pid": reply(request, {"pid": os.getpid()})
        case "refuse": refuse(request)
        case "die":
            print("my last words", file=sys.stderr, flush=True)
            os._exit(3)
        case "shutdown":
            reply(request, {})
            break
        case _: reply(request, {})
"""


@pytest.fixture
def project(tmp_path: Path) -> ProjectBinding:
    return ProjectBinding(project_root=str(tmp_path), repo_scope="scope")


def method(name: str) -> Method[Empty, Acknowledged]:
    return ASK.named(name)


async def opened(plugin: Plugin, project: ProjectBinding) -> PluginSession:
    return await open_session(plugin, project, cookie="test")


# == the handshake ==


async def test_a_good_plugin_is_greeted_asked_and_ended(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    session = await opened(make_plugin(GOOD, capabilities=["ask", "$ui/web"]), project)
    assert await session.call(ASK, Empty(), timeout_s=10) == Acknowledged()
    assert session.methods == {"ask"}
    await session.close()
    await session.close()
    assert session.child.returncode == 0


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit(7)", r"it ended \(exit code 7\) during initialize"),
        ("os.kill(os.getpid(), 9)", "it was killed by signal 9 \\(SIGKILL\\) during initialize"),
        ("os.close(1); signal.pause()", "it closed its output during initialize"),
        ("for request in receive(): refuse(request, -32600, 'too old')", "initialize was refused: too old"),
        ("for request in receive(): reply(request, [])", "the result of initialize does not fit"),
        ("for r in receive(): reply(r, {**GREETING, 'protocol_version': '2.0.0'})", "it speaks protocol 2.0.0"),
        ("signal.pause()", r"did not answer initialize within 0\.5 s"),
        ("send('{not json'); send('[]'); signal.pause()", r"did not answer initialize within 0\.5 s"),
    ],
)
async def test_a_failed_handshake_names_the_plugin_shows_its_stderr_and_leaves_nothing(
    code: str,
    why: str,
    make_plugin: MakePlugin,
    project: ProjectBinding,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    limit = "0.5" if "0" in why and "within" in why else "20"
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", limit)
    first = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    first += "print('cannot find my keys', file=sys.stderr, flush=True)\n"
    with pytest.raises(PluginFailed, match=why) as raised:
        await opened(make_plugin(first + code, "odd"), project)
    assert raised.value.message.startswith("plugin odd: ")
    if limit == "20":
        assert "  | cannot find my keys" in (raised.value.hint or "")
        wait_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("limit", ["soon", "-1", "0", "nan", ""])
async def test_a_handshake_limit_that_is_none_is_the_operators_mistake_and_leaves_no_process(
    limit: str, make_plugin: MakePlugin, project: ProjectBinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", limit)
    plugin = make_plugin(GOOD)
    with pytest.raises(InvalidInput, match="ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S"):
        await opened(plugin, project)


async def test_noise_around_good_answers_is_passed_over(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    noisy = """
send("starting up..."); send("{broken"); send(""); send({"jsonrpc": "2.0", "id": 99, "result": {}})
for request in receive():
    send("working on it")
    send({"jsonrpc": "2.0", "method": "log/entry", "params": {"level": "info", "message": "hm"}})
    send({"jsonrpc": "2.0", "id": 5, "method": "host/secrets"})
    reply(request, GREETING if request["method"] == "initialize" else {})
"""

    session = await opened(make_plugin(noisy), project)
    for _ in range(3):
        await session.call(ASK, Empty(), timeout_s=10)
    assert session.peer.dropped_frames > 3
    await session.close()


# == calls ==


async def test_a_plugin_that_dies_in_the_middle_of_a_call_fails_it_with_its_last_words(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    session = await opened(make_plugin(GOOD, "mortal"), project)
    with pytest.raises(PluginFailed, match=r"plugin mortal: it ended \(exit code 3\) during die") as raised:
        await session.call(method("die"), Empty(), timeout_s=10)
    assert "  | my last words" in (raised.value.hint or "")
    assert not session.alive
    await session.close()


async def test_a_plugin_that_floods_its_stderr_never_blocks(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    flood = """
for request in receive():
    for _ in range(20):
        sys.stderr.write("y" * 200_000 + "\\n")
        sys.stderr.write("noise\\n" * 2000)
    sys.stderr.flush()
    reply(request, GREETING if request["method"] == "initialize" else {})
"""

    session = await opened(make_plugin(flood), project)
    await session.call(ASK, Empty(), timeout_s=20)
    await session.close()
    assert len(session.child.stderr_tail) < 1_000_000
    assert session.child.stderr_tail.endswith("noise")


# == the end ==


async def test_a_plugin_that_ignores_every_request_to_end_is_killed_within_bounds(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    deaf = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for request in receive():
    if request["method"] == "initialize": reply(request, GREETING)
while True: signal.pause()
"""

    session = await opened(make_plugin(deaf), project)
    began = time.monotonic()
    await session.close()
    assert session.child.returncode == -9
    assert time.monotonic() - began < 8


async def test_what_a_plugin_started_ends_with_it(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    parent = """
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
for request in receive():
    if request["method"] == "pid": reply(request, {"pid": child.pid})
    else: reply(request, GREETING if request["method"] == "initialize" else {})
    if request["method"] == "shutdown": os._exit(0)
"""

    session = await opened(make_plugin(parent), project)
    pid = (await session.call(PID, Empty(), timeout_s=10))["pid"]
    await session.close()
    wait_gone(pid)
