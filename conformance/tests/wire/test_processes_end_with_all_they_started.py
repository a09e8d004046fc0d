"""Processes: their end is seen and brought about, whoever holds their pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from animus_conformance.target.manifest_probe import MAX_MANIFEST_BYTES, ManifestProbe, probe_manifest
from animus_conformance.wire.group import Launch, ProcessGroup
from animus_conformance.wire.process import PluginProcess
from animus_conformance.wire.terminal import run_on_terminal

WITHIN_S: Final = 20.0
HELPER: Final = (
    "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session={}).pid, flush=True)"
)


def launch(program: str) -> Launch:
    return Launch([sys.executable, "-c", program], Path.cwd(), dict(os.environ))


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def probed(program: str) -> ManifestProbe:
    command, cwd, environment = launch(program)
    return await probe_manifest(command, cwd, environment, WITHIN_S / 2)


async def test_the_end_of_a_process_is_seen_while_a_helper_holds_its_output_and_the_helper_ends_with_it() -> None:
    process = await PluginProcess.start(launch(HELPER.format(False)))
    helper = int(await process.read())
    assert await process.exited(WITHIN_S / 2)
    assert process.exit_code == 0
    assert is_alive(helper)
    await process.kill()
    handle = os.pidfd_open(helper) if is_alive(helper) else None
    if handle is not None:
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(handle, ended.set_result, None)
        await ended
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def test_a_process_is_let_go_of_while_somebody_outside_its_group_holds_its_output() -> None:
    process = await PluginProcess.start(launch(HELPER.format(True)))
    helper = int(await process.read())
    try:
        await process.kill()
        assert process.exit_code is not None
        assert await process.read() == b""
    finally:
        os.kill(helper, signal.SIGKILL)


async def test_a_process_whose_output_nobody_reads_can_be_ended() -> None:
    group = await ProcessGroup.start(launch("import sys\nwhile True: sys.stdout.write('x' * 65536)"))
    await group.stdout.readexactly(1_000_000)
    await group.end()
    assert group.exit_code == -signal.SIGKILL


async def test_a_process_that_has_ended_has_not_read_its_input() -> None:
    process = await PluginProcess.start(launch("import os; os.read(0, 1); os._exit(3)"))
    process.write(b"x")
    assert await process.exited(WITHIN_S / 2)
    process.write(b"more")
    assert not await process.consumed(0.05)
    await process.kill()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_whoever_floods_a_stream_is_asked_for_its_manifest_all_the_same(stream: str) -> None:
    flood = f"import sys; sys.{stream}.write('x' * 4_000_000); sys.stdout.write('{{}}')"
    probe = await probed(flood)
    if stream == "stderr":
        assert (probe.output, probe.exit_code) == (b"{}", 0)
    else:
        assert len(probe.output) > MAX_MANIFEST_BYTES
        assert probe.exit_code is None


@pytest.mark.parametrize(
    "printed",
    [
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": 1} {}',
        b"[" * 100_000,
        b"[]",
        b"",
    ],
)
async def test_what_hosts_could_not_read_is_no_manifest(printed: bytes) -> None:
    assert (await probed(f"import sys; sys.stdout.buffer.write({printed!r})")).manifest == {}


async def test_on_a_terminal_the_exit_code_counts_and_not_who_holds_standard_error() -> None:
    program = "import subprocess, sys; subprocess.Popen(['sleep', '600']); sys.stderr.write('usage'); sys.exit(2)"

    command, cwd, environment = launch(program)
    assert (await run_on_terminal(command, cwd, environment, 1.0)) == (2, "usage")
