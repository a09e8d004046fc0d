"""Plugins that take more than their share of descriptors, memory or processor time, or tell a secret."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from animus_core.launch_options import Limits

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
SECRET = "correct-horse-battery-staple-0123456789"


async def test_a_plugin_that_leaks_descriptors_meets_its_own_limit_and_not_the_hosts(host: Host) -> None:
    leaking = host.plugin("opens_files.py", limits=Limits(open_files=64))
    async with host.neighbour_answers():
        answer = await leaking.ask("open", timeout_s=20)
    assert answer["why"] == "EMFILE"
    assert 40 < answer["opened"] < 64
    with open(os.devnull) as file:  # the host can still open what it wants
        assert file.fileno() > 0
    await leaking.echo(1)


async def test_a_plugin_that_hogs_memory_fails_at_its_limit_and_says_what_it_died_of(host: Host) -> None:
    hog = host.plugin("hog.py", limits=Limits(memory_mb=128))
    await hog.echo(1)
    async with host.neighbour_answers():
        with hog.fails(r"it ended \(exit code 1\) during eat", tail="MemoryError"):
            await hog.ask("eat", timeout_s=30)
    await hog.comes_back()


async def test_a_plugin_that_burns_the_processor_is_ended_at_its_limit_and_the_signal_named(host: Host) -> None:
    burning = host.plugin("burns.py", limits=Limits(cpu_seconds=1))
    await burning.echo(1)
    async with host.neighbour_answers():
        with burning.fails(r"it was killed by signal 24 \(SIGXCPU: .*processor time.*\) during burn", tail="thinking"):
            await burning.ask("burn", timeout_s=40)
    await burning.comes_back()


async def test_limits_are_one_plugins_own(host: Host) -> None:
    limited = host.plugin("opens_files.py", limits=Limits(open_files=64, memory_mb=256, cpu_seconds=10))
    free = host.plugin("opens_files.py")
    assert (await limited.ask("open", timeout_s=20))["opened"] < 64
    assert (await free.ask("open", timeout_s=20))["opened"] > 64


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> str:
    """A variable of the operator's that the plugin declares as sensitive."""
    monkeypatch.setenv("DEMO_CREDENTIAL_FILE", SECRET)
    caplog.set_level(logging.DEBUG, "animus")
    return "DEMO_CREDENTIAL_FILE"


def leaked(text: str, secret: str = SECRET) -> str | None:
    """The first line of `text` that shows enough of the secret to be of use: eight characters of it in a row."""
    pieces = {line[start : start + 8] for line in secret.splitlines() for start in range(len(line) - 7)}
    return next((line for line in text.splitlines() if any(piece in line for piece in pieces)), None)


@pytest.mark.parametrize("where", ["stderr", "halves", "log", "stdout"])
async def test_what_a_plugin_prints_of_its_secret_is_not_in_the_hosts_log(
    host: Host, secret: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    leaking = host.plugin("leaks_secret.py", env_required=[{"name": secret, "sensitive": True}])
    # Lines of every length around the longest that is kept, so that a cut falls into the secret.
    for shift in range(0, 50, 5):
        assert await leaking.ask(where, shift=shift, rest=shift % 40) == {"shift": shift, "rest": shift % 40}
    tail = (await leaking.supervised.session()).child.stderr_tail
    assert where != "stderr" or "connecting as admin:***@example" in tail
    assert leaked(tail) is None
    assert leaked(caplog.text) is None


async def test_the_lines_of_a_secret_that_has_several_are_not_in_the_hosts_log(
    host: Host, secret: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n-----END KEY-----"
    monkeypatch.setenv(secret, key)
    leaking = host.plugin("leaks_secret.py", env_required=[{"name": secret, "sensitive": True}])
    await leaking.ask("stderr", shift=0, rest=0)
    tail = (await leaking.supervised.session()).child.stderr_tail
    assert leaked(tail, key.split("\n")[1]) is None
    assert leaked(caplog.text, key.split("\n")[1]) is None


async def test_the_last_words_of_a_plugin_in_an_error_do_not_show_its_secret(
    host: Host, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    leaking = host.plugin("leaks_secret.py", env_required=[{"name": secret, "sensitive": True}])
    with leaking.fails("exit code 1", tail=r"cannot log in with ***") as raised:
        await leaking.ask("die")
    assert leaked(f"{raised.value}\n{raised.value.details}\n{caplog.text}") is None


async def test_a_secret_that_was_not_declared_does_not_reach_the_plugin(host: Host, secret: str) -> None:
    ignorant = host.plugin("leaks_secret.py")
    with ignorant.fails("exit code 1", tail="KeyError"):
        await ignorant.echo(1)
