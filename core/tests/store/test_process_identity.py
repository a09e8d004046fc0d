"""A process is told apart from another one with the same pid, and signals reach exactly the one that is meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from animus_core.store import process_identity
from animus_core.store.process_identity import identify, is_alive, open_pidfd, own_identity, signal_process

WAIT = "import sys; sys.stdin.read()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", WAIT], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture(params=["pidfd", "no pidfd"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no pidfd":
        monkeypatch.setattr(process_identity, "open_pidfd", lambda identity: None)


@pytest.mark.usefixtures("both_ways")
def test_a_process_is_alive_until_it_has_ended_also_while_nobody_has_collected_it(
    child: subprocess.Popen[bytes],
) -> None:
    identity = identify(child.pid)
    assert identity is not None
    assert is_alive(identity)
    assert signal_process(identity, signal.SIGTERM)
    # Ended and not collected: WNOWAIT leaves the zombie there.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) == identity
    assert not is_alive(identity)
    assert child.wait(timeout=30) == -signal.SIGTERM
    assert identify(child.pid) is None
    assert not is_alive(identity)
    assert not signal_process(identity, signal.SIGTERM)


@pytest.mark.usefixtures("both_ways")
def test_a_process_with_the_same_pid_from_another_time_or_boot_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    identity = identify(child.pid)
    assert identity is not None
    for stranger in (identity._replace(starttime="1"), identity._replace(boot_id="another")):
        assert not is_alive(stranger)
        assert not signal_process(stranger, signal.SIGKILL)
        assert open_pidfd(stranger) is None
    assert child.poll() is None


def test_the_own_identity_is_that_of_this_pid_and_stays_the_same() -> None:
    own = own_identity()
    assert own.pid == os.getpid()
    assert own == own_identity() == identify(os.getpid())
    assert is_alive(own)


def test_a_name_full_of_parentheses_does_not_confuse() -> None:
    script = "import sys; open('/proc/self/comm', 'w').write('a) Z 1 (b'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        before = identify(process.pid)
        assert process.stdout is not None
        process.stdout.readline()
        assert identify(process.pid) == before
        assert before is not None
        assert is_alive(before)
        process.kill()


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_what_is_not_a_pid_has_no_identity(pid: int) -> None:
    assert identify(pid) is None
