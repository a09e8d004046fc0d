"""Escaped processes are found by the cookie in their environment and ended with all that descends from them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from animus_core.store.process_cleanup import end_by_cookie
from animus_core.store.process_identity import identify

NAME = "ANIMUS_TEST_COOKIE"
WAIT = "print('there', flush=True); import sys; sys.stdin.read()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAIT
# Starts a child in a session of its own and with an empty environment, tells its pid, and waits.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
                         env={}, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
# As PARENT, but with the cookie, and it ends at once: what it started belongs to nobody.
ORPHANING = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
                         start_new_session=True, stdin=0, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
"""


@pytest.fixture
def cookie() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, script: str, cookie: str | None) -> tuple[subprocess.Popen[str], str]:
    """The process, and the first line that it says."""
    env = dict(os.environ) if cookie is None else {**os.environ, NAME: cookie}
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_only_those_with_the_cookie_are_ended(started: ExitStack, cookie: str) -> None:
    carrier, _ = start(started, WAIT, cookie)
    others = [start(started, WAIT, text)[0] for text in (None, cookie + "x", cookie[:-1])]
    ended = end_by_cookie(NAME, cookie, grace_s=30)
    assert [identity.pid for identity in ended] == [carrier.pid]
    assert carrier.wait(timeout=30) == -signal.SIGTERM
    assert [other.poll() for other in others] == [None, None, None]


def test_what_ignores_term_is_killed_after_the_grace(started: ExitStack, cookie: str) -> None:
    carrier, _ = start(started, STUBBORN, cookie)
    end_by_cookie(NAME, cookie, grace_s=0.05)
    assert carrier.wait(timeout=30) == -signal.SIGKILL


def test_descendants_without_the_cookie_end_too(started: ExitStack, cookie: str) -> None:
    carrier, child = start(started, PARENT, cookie)
    ended = end_by_cookie(NAME, cookie, grace_s=30)
    assert {identity.pid for identity in ended} == {carrier.pid, int(child)}


def test_an_orphan_in_a_session_of_its_own_is_found(started: ExitStack, cookie: str) -> None:
    parent, orphan = start(started, ORPHANING, cookie)
    assert parent.wait(timeout=30) == 0
    identity = identify(int(orphan))
    assert identity is not None
    assert identity in end_by_cookie(NAME, cookie, grace_s=30)


def test_the_caller_never_ends_itself(started: ExitStack, cookie: str) -> None:
    script = (
        "from animus_core.store.process_cleanup import end_by_cookie\n"
        f"print(end_by_cookie({NAME!r}, {cookie!r}, grace_s=0), flush=True)\n" + WAIT
    )
    caller, answer = start(started, script, cookie)
    assert answer == "[]"
    assert caller.poll() is None


def test_nothing_to_end_is_no_error(cookie: str) -> None:
    assert end_by_cookie(NAME, cookie, grace_s=0) == []
