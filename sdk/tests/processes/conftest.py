"""The plugins of `tests/plugins` as real processes, and a host of raw lines for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from raw_host import RawHost

DEADLINE_S = 20.0
PLUGINS = Path(__file__).parent.parent / "plugins"


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., RawHost]]:
    """`spawn("tasks.py")` starts that plugin of `tests/plugins`; all are ended with the test."""
    started: list[RawHost] = []

    def start(name: str, *, env: Mapping[str, str] | None = None, stdin: Any = subprocess.PIPE) -> RawHost:
        started.append(RawHost([sys.executable, str(PLUGINS / name)], cwd=tmp_path, env=env, stdin=stdin))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def greet(spawn: Callable[..., RawHost]) -> Callable[..., RawHost]:
    """`greet("tasks.py")` starts a plugin and initializes it."""

    def start(name: str) -> RawHost:
        plugin = spawn(name)
        plugin.initialize()
        return plugin

    return start


def _shared(name: str, cwd: Path, *, initialize: bool) -> Iterator[RawHost]:
    plugin = RawHost([sys.executable, str(PLUGINS / name)], cwd=cwd)
    if initialize:
        plugin.initialize()
    yield plugin
    plugin.close()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawHost]:
    """`tasks.py`, initialized; the tests of a module that share it leave no trace in it."""
    yield from _shared("tasks.py", tmp_path_factory.mktemp("project"), initialize=True)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawHost]:
    """`agent.py`, initialized; shared as `tasks` is."""
    yield from _shared("agent.py", tmp_path_factory.mktemp("project"), initialize=True)


@pytest.fixture(scope="module")
def ungreeted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawHost]:
    """`stubborn.py`, which nobody has initialized yet; shared as `tasks` is."""
    yield from _shared("stubborn.py", tmp_path_factory.mktemp("project"), initialize=False)


@pytest.fixture
def run_plugin(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """`run_plugin("tasks.py", "--manifest")` runs a plugin to its end, without any input unless told."""

    def run(
        name: str, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, str(PLUGINS / name), *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **(env or {})},
            timeout=DEADLINE_S,
            check=False,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    return run
