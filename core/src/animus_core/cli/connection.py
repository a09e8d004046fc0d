"""What every command begins with: the scope, and one call to the daemon or to the project in this process.

Below lie the paths and the control client, which only those that ask it have to load.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from animus_core.store.paths import Scope, project_root

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from animus_core.control.client import Control

__all__ = ["scope_of", "with_control", "with_daemon"]

_T = TypeVar("_T")


def scope_of(args: argparse.Namespace) -> Scope:
    """The scope of `--project-root`, of the Git repository around, or of this directory. Raises InvalidInput."""
    root = project_root(getattr(args, "project_root", None), Path.cwd())
    return Scope.of(root, os.environ)


def with_control(scope: Scope, work: Callable[[Control], Awaitable[_T]]) -> _T:
    """Run `work` against the daemon, or against the project in this process when none runs."""
    import asyncio

    from animus_core.control.client import open_control

    async def run() -> _T:
        async with open_control(scope) as control:
            return await work(control)

    return asyncio.run(run())


def with_daemon(scope: Scope, work: Callable[[Control], Awaitable[_T]]) -> _T:
    """Run `work` against the running daemon. Raises RetryLater when there is none."""
    import asyncio

    from animus_core.control.client import connect_control

    async def run() -> _T:
        async with connect_control(scope) as control:
            return await work(control)

    return asyncio.run(run())
