"""The pytest plugin: the fixture `animus_host`, and the wire of a failed test in its report.

Found by pytest through the entry point `animus_sdk`; nothing of the SDK is imported before a test asks for a host.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from animus_sdk.plugin import Plugin
    from animus_sdk.testing.blocking import BlockingHarness

__all__ = ["animus_host", "pytest_runtest_makereport"]

StartHost: TypeAlias = "Callable[..., BlockingHarness]"

_HOSTS: pytest.StashKey[list[tuple[str, BlockingHarness]]] = pytest.StashKey()


@pytest.fixture
def animus_host(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[StartHost, None, None]:
    """`host = animus_host(MyPlugin)` starts a BlockingHarness for the project `tmp_path`; it ends with the test.

    `project_root` and `env` are those of the harness.
    """
    from animus_sdk.testing.blocking import BlockingHarness

    hosts = request.node.stash.setdefault(_HOSTS, [])
    with ExitStack() as end:

        def start(
            plugin: type[Plugin] | Plugin,
            *,
            project_root: Path | str = tmp_path,
            env: Mapping[str, str] | None = None,
        ) -> BlockingHarness:
            host = BlockingHarness(plugin, project_root=project_root, env=env)
            hosts.append(((plugin if isinstance(plugin, type) else type(plugin)).__name__, host))
            return end.enter_context(host)

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The frames of every host of a failed test, as a section of the report."""
    report = yield
    if report.failed:
        for name, host in item.stash.get(_HOSTS, []):
            report.sections.append((f"the wire of {name}", host.transcript()))
    return report
