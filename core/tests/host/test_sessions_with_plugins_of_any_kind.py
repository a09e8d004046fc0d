"""Live plugins, good and bad: greeted, asked, supervised, routed to, and ended with everything they started."""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import Conflict, InvalidInput, NotFound, PluginFailed
from animus_core.host import session as session_module
from animus_core.host import supervise
from animus_core.host.discover import Discovery, Plugin
from animus_core.host.route import SubjectRouter, match_kind
from animus_core.host.session import PluginSession, Project, open_session
from animus_core.host.supervise import MAX_ATTEMPTS, PluginState, SupervisedPlugin, backoff_s
from animus_protocol.errors import RpcError
from animus_protocol.models.base import Empty, Method
from animus_protocol.models.common import Acknowledged

Within = Callable[[Coroutine[Any, Any, Any]], Any]
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


@pytest.fixture(autouse=True)
def _quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SHUTDOWN_S", "_EXIT_S", "_TERM_S"):
        monkeypatch.setattr(session_module, name, 0.3)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "scope")


def method(name: str) -> Method[Empty, Acknowledged]:
    return ASK.named(name)


def wait_gone(pid: int) -> None:
    """Return once process `pid` has ended; it may be nobody's child any more."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(10_000), f"process {pid} is still there"
    finally:
        os.close(fd)


async def opened(plugin: Plugin, project: Project) -> PluginSession:
    return await open_session(plugin, project, cookie="test")


# == the handshake ==


def test_a_good_plugin_is_greeted_asked_and_ended(make_plugin: MakePlugin, project: Project, within: Within) -> None:
    async def work() -> None:
        session = await opened(make_plugin(GOOD, capabilities=["ask", "$ui/web"]), project)
        assert await session.call(ASK, Empty(), timeout_s=10) == Acknowledged()
        assert session.methods == {"ask"}
        await session.close()
        await session.close()
        assert session.child.returncode == 0

    within(work())


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit(7)", r"it ended \(exit code 7\) during initialize"),
        ("os.kill(os.getpid(), 9)", "it was killed by signal 9 during initialize"),
        ("os.close(1); signal.pause()", "it closed its output during initialize"),
        ("for request in receive(): refuse(request, -32600, 'too old')", "initialize was refused: too old"),
        ("for request in receive(): reply(request, [])", "the result of initialize does not fit"),
        ("for r in receive(): reply(r, {**GREETING, 'protocol_version': '2.0.0'})", "it speaks protocol 2.0.0"),
        ("signal.pause()", r"did not answer initialize within 0\.5 s"),
        ("send('{not json'); send('[]'); signal.pause()", r"did not answer initialize within 0\.5 s"),
    ],
)
def test_a_failed_handshake_names_the_plugin_shows_its_stderr_and_leaves_nothing(
    code: str,
    why: str,
    make_plugin: MakePlugin,
    project: Project,
    within: Within,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    limit = "0.5" if "0" in why and "within" in why else "20"
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", limit)
    first = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    first += "print('cannot find my keys', file=sys.stderr, flush=True)\n"
    with pytest.raises(PluginFailed, match=why) as raised:
        within(opened(make_plugin(first + code, "odd"), project))
    assert raised.value.message.startswith("plugin odd: ")
    if limit == "20":
        assert "  | cannot find my keys" in (raised.value.hint or "")
        wait_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("limit", ["soon", "-1", "0", "nan", ""])
def test_a_handshake_limit_that_is_none_is_the_operators_mistake_and_leaves_no_process(
    limit: str, make_plugin: MakePlugin, project: Project, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", limit)
    plugin = make_plugin(GOOD)
    with pytest.raises(InvalidInput, match="ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S"):
        within(opened(plugin, project))
    supervised = SupervisedPlugin(plugin, project)
    with pytest.raises(InvalidInput):
        within(supervised.call(ASK, Empty(), timeout_s=5))
    assert supervised.state is PluginState.BACKOFF


def test_noise_around_good_answers_is_passed_over(make_plugin: MakePlugin, project: Project, within: Within) -> None:
    noisy = """
send("starting up..."); send("{broken"); send(""); send({"jsonrpc": "2.0", "id": 99, "result": {}})
for request in receive():
    send("working on it")
    send({"jsonrpc": "2.0", "method": "log/entry", "params": {"level": "info", "message": "hm"}})
    send({"jsonrpc": "2.0", "id": 5, "method": "host/secrets"})
    reply(request, GREETING if request["method"] == "initialize" else {})
"""

    async def work() -> None:
        session = await opened(make_plugin(noisy), project)
        for _ in range(3):
            await session.call(ASK, Empty(), timeout_s=10)
        assert session.peer.dropped_frames > 3
        await session.close()

    within(work())


# == calls ==


def test_a_plugin_that_dies_in_the_middle_of_a_call_fails_it_with_its_last_words(
    make_plugin: MakePlugin, project: Project, within: Within
) -> None:
    async def work() -> None:
        session = await opened(make_plugin(GOOD, "mortal"), project)
        with pytest.raises(PluginFailed, match=r"plugin mortal: it ended \(exit code 3\) during die") as raised:
            await session.call(method("die"), Empty(), timeout_s=10)
        assert "  | my last words" in (raised.value.hint or "")
        assert not session.alive
        await session.close()

    within(work())


def test_a_refusal_is_the_plugins_own_and_costs_nothing(
    make_plugin: MakePlugin, project: Project, within: Within
) -> None:
    async def work() -> None:
        supervised = SupervisedPlugin(make_plugin(GOOD), project)
        for _ in range(MAX_ATTEMPTS + 1):
            with pytest.raises(RpcError, match="no"):
                await supervised.call(method("refuse"), Empty(), timeout_s=10)
        assert (supervised.state, supervised.failures) == (PluginState.READY, 0)
        await supervised.close()
        assert supervised.state is PluginState.STOPPED

    within(work())


def test_a_plugin_that_floods_its_stderr_never_blocks(
    make_plugin: MakePlugin, project: Project, within: Within
) -> None:
    flood = """
for request in receive():
    for _ in range(20):
        sys.stderr.write("y" * 200_000 + "\\n")
        sys.stderr.write("noise\\n" * 2000)
    sys.stderr.flush()
    reply(request, GREETING if request["method"] == "initialize" else {})
"""

    async def work() -> None:
        session = await opened(make_plugin(flood), project)
        await session.call(ASK, Empty(), timeout_s=20)
        await session.close()
        assert len(session.child.stderr_tail) < 1_000_000
        assert session.child.stderr_tail.endswith("noise")

    within(work())


# == the end ==


def test_a_plugin_that_ignores_every_request_to_end_is_killed_within_bounds(
    make_plugin: MakePlugin, project: Project, within: Within
) -> None:
    deaf = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for request in receive():
    if request["method"] == "initialize": reply(request, GREETING)
while True: signal.pause()
"""

    async def work() -> None:
        session = await opened(make_plugin(deaf), project)
        began = time.monotonic()
        await session.close()
        assert session.child.returncode == -9
        assert time.monotonic() - began < 8

    within(work())


def test_what_a_plugin_started_ends_with_it(make_plugin: MakePlugin, project: Project, within: Within) -> None:
    parent = """
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
for request in receive():
    if request["method"] == "pid": reply(request, {"pid": child.pid})
    else: reply(request, GREETING if request["method"] == "initialize" else {})
    if request["method"] == "shutdown": os._exit(0)
"""

    async def work() -> int:
        session = await opened(make_plugin(parent), project)
        pid = (await session.call(PID, Empty(), timeout_s=10))["pid"]
        await session.close()
        return pid

    wait_gone(within(work()))


# == supervision ==


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (6, 32), (7, 60), (50, 60), (10_000, 60)]
)
def test_the_wait_before_a_restart_doubles_up_to_a_minute(failures: int, wait_s: float) -> None:
    assert backoff_s(failures) == wait_s


def test_after_five_deaths_in_a_row_a_plugin_is_disabled(
    make_plugin: MakePlugin, project: Project, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "backoff_s", lambda failures: 0.0)

    async def work() -> None:
        supervised = SupervisedPlugin(make_plugin("sys.exit(1)", "broken"), project)
        for number in range(1, MAX_ATTEMPTS + 1):
            with pytest.raises(PluginFailed, match="exit code 1"):
                await supervised.call(ASK, Empty(), timeout_s=10)
            assert supervised.failures == number
        assert supervised.state is PluginState.DISABLED
        with pytest.raises(PluginFailed, match="plugin broken: disabled after 5 failures"):
            await supervised.call(ASK, Empty(), timeout_s=10)
        await supervised.close()

    within(work())


def test_a_death_is_followed_by_a_wait_and_then_by_a_new_process(
    make_plugin: MakePlugin, project: Project, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        supervised = SupervisedPlugin(make_plugin(GOOD), project)
        first = await supervised.call(PID, Empty(), timeout_s=10)
        with pytest.raises(PluginFailed, match="exit code 3"):
            await supervised.call(method("die"), Empty(), timeout_s=10)
        with pytest.raises(PluginFailed, match="is tried again in"):
            await supervised.call(PID, Empty(), timeout_s=10)
        assert supervised.failures == 1
        supervised._retry_at = 0.0
        assert await supervised.call(PID, Empty(), timeout_s=10) != first
        monkeypatch.setattr(supervise, "HEALTHY_S", 0.0)
        with pytest.raises(PluginFailed):
            await supervised.call(method("die"), Empty(), timeout_s=10)
        assert supervised.failures == 1
        await supervised.close()

    within(work())


def test_many_callers_share_one_start(make_plugin: MakePlugin, project: Project, within: Within) -> None:
    async def work() -> None:
        supervised = SupervisedPlugin(make_plugin(GOOD), project)
        pids = await asyncio.gather(*(supervised.call(PID, Empty(), timeout_s=10) for _ in range(20)))
        assert len({answer["pid"] for answer in pids}) == 1
        await supervised.close()

    within(work())


# == routes ==


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("task", "task"),
        ("jira.bug", "jira.bug"),
        ("jira.story", "jira.*"),
        ("jira.cloud.bug", "jira.cloud.*"),
        ("jira", None),
        ("jirax.bug", None),
        ("tasks", None),
        ("", None),
    ],
)
def test_an_exact_kind_beats_a_glob_and_the_longest_glob_wins(kind: str, claim: str | None) -> None:
    assert match_kind(kind, ["jira.*", "jira.cloud.*", "jira.bug", "task"]) == claim


def router_of(*plugins: Plugin, project: Project) -> SubjectRouter:
    return SubjectRouter.build(Discovery(plugins, ()), project)


def test_two_plugins_with_the_same_claim_are_refused_by_name(make_plugin: MakePlugin, project: Project) -> None:
    one, two = (make_plugin(GOOD, name, capabilities=["subject_kind:task"]) for name in ("one", "two"))
    with pytest.raises(Conflict, match="one and two both claim subject kind 'task'"):
        router_of(one, two, project=project)


def test_an_unknown_kind_is_not_found_and_the_known_ones_are_listed(make_plugin: MakePlugin, project: Project) -> None:
    plugin = make_plugin(GOOD, capabilities=["subject_kind:task", "subject_kind:jira.*"])
    with pytest.raises(NotFound, match=r"no plugin serves subjects of kind 'bug' \(served: jira.\*, task\)"):
        router_of(plugin, project=project).owner("bug")


ECHO = """
SUBJECT = {"id": "1", "kind": "task", "status": "ready", "created_at": "2026-01-01T00:00:00Z",
           "updated_at": "2026-01-01T00:00:00Z"}
for request in receive():
    if request["method"] == "initialize": reply(request, GREETING)
    elif request["method"] == "shutdown": break
    else: reply(request, {**SUBJECT, "title": request["method"]})
"""


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        (["task/get"], "task/get"),
        (["subject/get"], "subject/get"),
        (["subject/get", "task/get"], "task/get"),
        ([], "task/get"),
    ],
)
def test_a_backend_is_asked_under_the_name_that_it_advertises(
    served: list[str], asked: str, make_plugin: MakePlugin, project: Project, within: Within
) -> None:
    async def work() -> None:
        router = router_of(make_plugin(ECHO, capabilities=["subject_kind:task", *served]), project=project)
        assert (await router.get("task", "1")).title == asked
        await router.close()

    within(work())
