"""Finding plugins: the operator's registry first, each asked who it is with nothing that it could abuse."""

from __future__ import annotations

import asyncio
import json
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from animus_core.errors import PluginFailed, RetryLater
from animus_core.host.environment import COOKIE, child_environment
from animus_core.supply.discovery.discover import discover
from animus_core.supply.discovery.manifest import probe
from plugin_places import MANIFEST

Program = Callable[..., Path]


def printing(**changes: Any) -> str:
    return f"print({json.dumps({**MANIFEST, **changes})!r})"


# == the environment ==


def test_a_child_gets_the_listed_and_the_declared_names_and_nothing_else() -> None:
    parent = {"PATH": "/bin", "HOME": "/h", "TOKEN": "secret", "KEY": "k", "LD_PRELOAD": "x", "PYTHONPATH": "x"}
    assert child_environment(parent) == {"PATH": "/bin", "HOME": "/h"}
    assert child_environment(parent, declared=["KEY", "MISSING"]) == {"PATH": "/bin", "HOME": "/h", "KEY": "k"}


def test_extras_win_over_what_is_inherited_and_the_cookie_over_all() -> None:
    made = child_environment({"PATH": "/bin"}, extra={"PATH": "/other", COOKIE: "forged"}, cookie="c")
    assert made == {"PATH": "/other", COOKIE: "c"}


# == manifests ==


async def test_a_good_manifest_is_read(program: Program) -> None:
    path = program(printing(capabilities=None, env_required=[{"name": "KEY"}]))
    found = await probe("p", [str(path)])
    assert (found.name, found.capabilities, found.env_required[0].name) == ("p", [], "KEY")


async def test_a_probe_sees_no_secret_and_no_input(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    code = "assert 'TOKEN' not in os.environ and not sys.stdin.read() and sys.argv[1:] == ['--manifest']\n"
    await probe("p", [str(program(code + printing()))])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("print('hello')", "its manifest is not valid: output: Invalid JSON"),
        ("", "its manifest is not valid"),
        ("print('[]')", "its manifest is not valid: output:"),
        ("print(json.dumps({'name': 'p'}))", "its manifest is not valid: version: Field required"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe{')", "its manifest is not valid"),
        (printing(protocol_version="2.0.0"), "it speaks protocol 2.0.0, this host speaks 1."),
        (printing(protocol_version="one"), "it speaks protocol one"),
        (printing() + "\nsys.exit(3)", "--manifest ended with exit code 3"),
        ("os.kill(os.getpid(), 9)", "--manifest ended with exit code -9"),
        ("print('x' * 2_000_000)", "--manifest printed more than 1048576 bytes"),
    ],
)
async def test_what_is_no_plugin_is_named_with_the_reason(code: str, why: str, program: Program) -> None:
    with pytest.raises(RetryLater) as raised:
        await probe("odd", [str(program(code))])
    assert raised.value.message.startswith("plugin odd: ")
    assert why in raised.value.message


@pytest.mark.parametrize(
    "code",
    ["signal.pause()", printing() + "\nsys.stdout.flush()\nsignal.signal(15, signal.SIG_IGN)\nsignal.pause()"],
)
async def test_a_plugin_that_hangs_is_given_up_after_the_limit(code: str, program: Program) -> None:
    began = time.monotonic()
    with pytest.raises(RetryLater, match=r"did not end within 0\.5 s"):
        await probe("odd", [str(program(code))], timeout_s=0.5)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", ["", ", start_new_session=True", ", start_new_session=True, stdout=2"])
async def test_what_a_probe_leaves_behind_is_ended_with_it(how: str, program: Program, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"child = subprocess.Popen(['sleep', '600']{how})\nopen({str(pid_file)!r}, 'w').write(str(child.pid))\n"
    assert (await probe("odd", [str(program(code + printing()))])).name == "p"
    try:
        fd = os.pidfd_open(int(pid_file.read_text()))
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(10_000), "it is still there"
    finally:
        os.close(fd)


async def test_the_reason_for_a_failure_is_what_it_wrote_last(program: Program) -> None:
    code = "sys.stderr.write('noise\\n' * 500 + 'ModuleNotFoundError: no \\x1b[31mred\\n\\n')\nsys.exit(1)"
    with pytest.raises(PluginFailed) as raised:
        await probe("odd", [str(program(code, "with blank"))])
    message = r"plugin odd: --manifest ended with exit code 1 (ModuleNotFoundError: no \x1b[31mred)"
    assert raised.value.message == message
    assert len(raised.value.details["stderr"].splitlines()) <= 200
    assert raised.value.remedy.endswith("with blank' --manifest")


@pytest.mark.parametrize("command", ["/no/such/program", "/dev/null", "nul\0byte"])
async def test_what_cannot_be_started_is_named(command: str) -> None:
    with pytest.raises(RetryLater, match="plugin odd: cannot be started"):
        await probe("odd", [command])


# == discovery ==


@pytest.fixture
def registry(tmp_path: Path) -> Callable[[Any], Path]:
    """Write `plugins.yaml`. The configuration directory."""

    def write(content: Any) -> Path:
        (tmp_path / "plugins.yaml").write_text(yaml.safe_dump(content))
        return tmp_path

    return write


async def test_a_broken_plugin_reserves_its_name_and_stops_no_other(
    registry: Callable[[Any], Path], program: Program
) -> None:
    good, bad = program(printing(), "good"), program("sys.exit(1)", "bad")
    folder = registry({"plugins": {"good": {"binary": str(good)}, "both": {"binary": str(bad)}}})
    found = await discover(folder, scripts=lambda: [("both", "/bin/false"), ("installed", "/bin/false")])
    assert [one.name for one in found.plugins] == ["good"]
    assert sorted(one.name for one in found.warnings) == ["both", "installed"]
    assert found.named("good") is not None
    assert found.of_kind("provider") == ()
    assert len(found.of_kind("subject_backend")) == 1


async def test_many_slow_plugins_are_probed_side_by_side(registry: Callable[[Any], Path], program: Program) -> None:
    fifo = program("", "meeting").with_name("fifo")
    os.mkfifo(fifo)
    # Each of the two says that it came and waits for the other, so they end only if both run at once.
    mark = f"open({str(fifo)!r} + sys.argv[0][-1], 'w').close()\n"
    wait = f"other = {str(fifo)!r} + ('2' if sys.argv[0][-1] == '1' else '1')\n"
    wait += "while not os.path.exists(other): os.sched_yield()\n"
    rows = {name: {"binary": str(program(mark + wait + printing(), name))} for name in ("slow1", "slow2")}
    found = await discover(registry({"plugins": rows}), scripts=list)
    assert [one.name for one in found.plugins] == ["slow1", "slow2"]


async def test_a_cancelled_probe_leaves_no_process(program: Program, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = program(f"print(os.getpid(), file=open({str(fifo)!r}, 'w'), flush=True)\nsignal.pause()")

    task = asyncio.ensure_future(probe("p", [str(path)]))
    pid = int(await asyncio.to_thread(fifo.read_text))
    task.cancel()
    await asyncio.wait([task])
    assert not Path(f"/proc/{pid}").exists()
