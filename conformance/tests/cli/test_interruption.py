"""However a run ends, its processes end with it and its folders are gone."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

DEADLINE_S: Final = 30.0


@contextmanager
def judging(workplace: Any, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "animus_conformance", "run", *arguments]
    with subprocess.Popen(
        command,
        cwd=workplace.folder,
        env=workplace.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def processes_with(temporary: Path) -> list[int]:
    wanted = os.fsencode(f"TMPDIR={temporary}")
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], DEADLINE_S)[0], f"process {pid} is still there"
    finally:
        os.close(handle)


def assert_nothing_is_left(workplace: Any) -> None:
    for pid in processes_with(workplace.temporary):
        wait_for_end(pid)
    assert list(workplace.temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_ends_the_run_and_everything_in_it(workplace: Any, number: int) -> None:
    fifo = workplace.folder / "started"
    os.mkfifo(fifo)
    workplace.program("silent", f'#!/bin/sh\n[ "$1" = --manifest ] && exit\necho > {fifo}\nexec sleep 600\n')
    with judging(workplace, "--kind", "custom", "--only", "lifecycle.ping", "--", "./silent") as process:
        with open(fifo) as started:
            started.read()  # now it waits for the answer to initialize
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 128 + number, out + err
        assert "Traceback" not in err
        assert "interrupted" in err
    assert_nothing_is_left(workplace)


def test_a_signal_while_requests_are_made_up_ends_the_run_and_everything_in_it(workplace: Any) -> None:
    fifo = workplace.folder / "asked"
    os.mkfifo(fifo)
    good = Path(__file__).parents[2] / "zoo" / "good"
    plugin = workplace.program(
        "fuzzed",
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(good)!r})\nfrom custom import PLUGIN\n"
        f"asked = []\ndef health(params, call):\n    asked.append(params)\n    if len(asked) == 9:\n"
        f"        open({str(fifo)!r}, 'w').close()\n    return {{'status': 'healthy'}}\n"
        "plain = PLUGIN._result\n"
        "PLUGIN._result = lambda method, *rest: (health if method == 'health/check' else "
        "lambda *_: plain(method, *rest))(*rest)\nPLUGIN.serve()\n",
    )
    with judging(workplace, "--only", "fuzz.any-params", "--", str(plugin)) as process:
        with open(fifo) as asked:
            asked.read()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 128 + signal.SIGTERM, out + err
        assert "Traceback" not in err
    assert_nothing_is_left(workplace)


def test_a_signal_ends_a_command_of_the_settings_and_what_it_has_started(workplace: Any, good: Sequence[str]) -> None:
    fifo = workplace.folder / "started"
    os.mkfifo(fifo)
    workplace.program("prepare", f"#!/bin/sh\nsleep 600 &\necho > {fifo}\nexec sleep 600\n")
    (workplace.folder / "conformance.toml").write_text('[setup]\ncommand = ["./prepare"]\n')
    with judging(workplace, "--level", "L0", "--", *good) as process:
        with open(fifo) as started:
            started.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 128 + signal.SIGTERM, out + err
    assert_nothing_is_left(workplace)


def test_nobody_reads_the_output_any_more(workplace: Any, good: Sequence[str]) -> None:
    with judging(workplace, "--level", "L0", "--", *good) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGPIPE
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert_nothing_is_left(workplace)
