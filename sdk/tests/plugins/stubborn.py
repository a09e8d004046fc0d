"""A plugin that does not want to end: it swallows every cancellation. The SDK's patience is shortened for the test."""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar

from animus_protocol.models.lifecycle import HealthCheckResult, HealthStatus, ProjectBinding
from animus_sdk import Plugin, Unavailable, serve


class Stubborn(Plugin):
    name = "stubborn"
    version = "0"
    starts: ClassVar[int] = 0

    async def start(self, project: ProjectBinding) -> None:
        Stubborn.starts += 1
        if project.project_root == "/refused":
            raise Unavailable("not for this project")
        if project.project_root == "/broken":
            raise RuntimeError("a mistake in start")
        await asyncio.sleep(0)

    async def stop(self) -> None:
        await never_mind()

    async def health(self) -> HealthCheckResult:
        return HealthCheckResult(status=HealthStatus.DEGRADED, last_error=f"started {self.starts} times", uptime_ms=7)


async def never_mind() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


if __name__ == "__main__":
    patience = sys.modules["animus_sdk.process"]
    vars(patience).update(_DRAIN_S=0.1, _STOP_S=0.1, _GRACE_S=0.3)
    serve(Stubborn)
