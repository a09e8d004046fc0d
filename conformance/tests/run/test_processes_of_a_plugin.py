"""The plugin that is judged: its environment, and processes that do not start, or end before their pipes do."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NoReturn

import pytest

from animus_conformance.checks.registry import checks_for
from animus_conformance.kinds import Kind
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.patience import Patience
from animus_conformance.run import run_check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import CheckVerdict, Level, Unproven
from animus_conformance.wire.host import Host


def parts_of(command: Sequence[str]) -> AbstractAsyncContextManager[Parts]:
    return Parts.opened(RunOptions(command, patience=Patience(start_s=5.0)))


class DaemonThatDoesNotStop:
    async def close(self) -> None:
        raise RuntimeError("a daemon that does not stop")


async def test_a_user_without_a_name_can_judge_a_plugin(monkeypatch: pytest.MonkeyPatch, good: Sequence[str]) -> None:
    def unknown(number: int) -> NoReturn:
        raise KeyError(number)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    async with parts_of(good) as parts:
        assert parts.part(Claims).manifest["name"] == "good-custom"
        projects = parts.part(Projects)
        assert "USER" not in projects.environment(await projects.new())


async def test_a_process_that_was_not_initialized_is_given_to_no_check(tmp_path: Path) -> None:
    plugin = tmp_path / "refuses"
    plugin.write_text(
        f"#!{sys.executable}\nimport json, sys\nopen('started', 'a').write('x')\n"
        "for line in sys.stdin:\n    request = json.loads(line)\n"
        "    reply = {'jsonrpc': '2.0', 'id': request['id'], 'error': {'code': -32603, 'message': 'no database'}}\n"
        "    print(json.dumps(reply), flush=True)\n"
    )
    plugin.chmod(0o755)

    async with parts_of([str(plugin)]) as parts:
        processes = parts.part(Processes)
        for start in (processes.shared, processes.shared, processes.rough):
            with pytest.raises(Unproven, match=r"it does not start: initialize answered with error.*no database"):
                await start()
        [host] = parts.part(Conversations).hosts
        assert (host.project / "started").read_text() == "x"


async def test_a_shared_process_that_was_killed_is_replaced_though_a_helper_holds_its_output(tmp_path: Path) -> None:
    good = Path(__file__).parents[2] / "zoo" / "good"
    plugin = tmp_path / "helped"
    plugin.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(good)!r})\nfrom custom import PLUGIN\n"
        "import subprocess\n"
        "PLUGIN.on_start = lambda plugin: subprocess.Popen(['sleep', '600'], stdout=plugin.wire._out)\nPLUGIN.serve()\n"
    )
    plugin.chmod(0o755)

    async with parts_of([str(plugin)]) as parts:
        processes = parts.part(Processes)
        first = await processes.shared()
        os.kill(first.process.pid, signal.SIGKILL)
        assert await first.process.exited(5.0)
        assert not first.ended
        second = await processes.shared()
        assert second is not first
        assert (await second.ask("$/ping")).error is None


async def test_everything_is_tidied_up_whatever_goes_wrong_at_the_end(good: Sequence[str]) -> None:
    hosts: list[Host] = []

    async def work() -> None:
        async with parts_of(good) as parts:
            parts.part(DaemonThatDoesNotStop)
            hosts.extend([await parts.part(Processes).shared(), await parts.part(Processes).rough()])

    with pytest.raises(RuntimeError, match="does not stop"):
        await work()
    assert [host.process.exit_code for host in hosts] == [-signal.SIGKILL] * 2
    assert not any(host.project.exists() for host in hosts)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/bin/sh", "-c", "sleep 600 & exit 0"], None),
        (["/bin/sh", "-c", "echo no letters; sleep 600 & exit 3"], "setup ended with 3: no letters"),
        (["/nowhere"], "setup: /nowhere cannot be started: No such file or directory"),
    ],
)
async def test_a_command_of_the_settings_is_over_when_it_has_ended(
    good: Sequence[str], command: Sequence[str], said: str | None
) -> None:
    async with parts_of(good) as parts:
        projects = Projects(SuiteSettings(setup=command), parts.part(Patience))
        try:
            if said is None:
                await projects.new()
            else:
                with pytest.raises(Unproven, match=said):
                    await projects.new()
        finally:
            await projects.close()


async def test_three_checks_judge_one_regular_end_each_with_its_conversation(good: Sequence[str]) -> None:
    ids = ("lifecycle.shutdown-is-answered", "lifecycle.exit-ends-it", "lifecycle.exit-code-0")
    async with parts_of(good) as parts:
        checks = {one.requirement.id: one for one in checks_for(parts.part(Kind), Level.L0)}
        outcomes, pids, conversations = [], [], parts.part(Conversations)
        for one in ids:
            outcomes.append(await run_check(parts, checks[one]))
            pids.append([host.process.pid for host in conversations.hosts])
            assert '"method":"exit"' in conversations.evidence().replace(" ", "")

    assert [one.verdict for one in outcomes] == [CheckVerdict.PASS] * 3
    assert pids == [pids[0]] * 3
    assert len(pids[0]) == 1
