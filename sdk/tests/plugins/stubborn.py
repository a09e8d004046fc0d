"""A plugin that does not want to end: it swallows every cancellation. The SDK's patience is shortened for the test."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from animus_protocol.models.lifecycle import HealthCheckResult, HealthStatus, ProjectBinding
from animus_sdk import Plugin, Unavailable
from animus_sdk.process import EndTimings, serve_within


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
    serve_within(Stubborn, EndTimings(drain_s=0.1, stop_s=0.1, grace_s=0.3))
