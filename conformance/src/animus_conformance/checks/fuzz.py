"""The check that makes requests up and looks at every answer (protocol §3)."""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import AsyncExitStack
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.kinds import Kind
from animus_conformance.method_names import canonical
from animus_conformance.patience import Patience
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.observer import Observed

_MAX_PROCESSES: Final = 12
"""A plugin that dies of a request costs a start for each attempt to make the request smaller."""
_SHRINK_FOR: Final = 3
"""For how many times the patience with an answer a find is looked at more closely."""


@check("fuzz.any-params")
async def any_params(
    processes: Processes, claims: Claims, kind: Kind, patience: Patience, observed: Observed, fuzzing: FuzzOptions
) -> None:
    """Makes requests up with hypothesis; a process that dies of one is replaced while the find is made small."""
    from animus_conformance.fuzz.search import (
        search,
    )  # importing hypothesis takes a while, and only this check needs it

    await processes.shared()
    methods = sorted(method for method in claims.spelled if oracle.method_types(canonical(method)) is not None)
    methods = [method for method in methods if canonical(method) in kind.methods] or ["health/check"]
    loop = asyncio.get_running_loop()
    async with _Target(processes, patience, observed) as target:

        def ask(method: str, params: Any) -> str | None:
            return asyncio.run_coroutine_threadsafe(target.wrong(method, params), loop).result()

        found = await asyncio.to_thread(search, ask, methods, *fuzzing)
    if found is not None:
        raise Failed(f"{found} (seed {fuzzing.seed})")


class _Target:
    """A process that is asked, and replaced when it has ended or does not answer any more.

    A find is looked at more closely with a few processes and for some time. After that what was found counts, so that a
    plugin that hangs is told of before the time of the check is over.
    """

    def __init__(self, processes: Processes, patience: Patience, observed: Observed) -> None:
        self._processes = processes
        self._patience = patience
        self._observed = observed
        self._stack = AsyncExitStack()
        self._host: Host | None = None
        self._count = 0
        self._found: dict[str, str] = {}
        self._until_s = math.inf
        self._asking: asyncio.Task[Any] | None = None
        self._is_over = False

    async def __aenter__(self) -> _Target:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Let the search end on its thread: what it asks now is not answered, and nothing is started for it."""
        self._is_over = True
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._stack.aclose()

    async def wrong(self, method: str, params: Any) -> str | None:
        """What is wrong with the answer; None when nothing is. Raises Unproven when there is no process to ask."""
        if self._is_over:
            raise Unproven("the check is over")
        self._asking = asyncio.current_task()
        request = f"{method} with {json.dumps(params)}"
        if self._count >= _MAX_PROCESSES or time.monotonic() > self._until_s:
            return self._found.get(request)
        wrong = await self._judge(method, params)
        if wrong is None:
            return None
        self._until_s = min(self._until_s, time.monotonic() + _SHRINK_FOR * self._patience.answer_s)
        self._found[request] = f"{request:.500}{wrong}"
        return self._found[request]

    async def _judge(self, method: str, params: Any) -> str | None:
        host = await self._process()
        try:
            reply = await host.ask(method, params)
            await host.ask("$/ping")
        except Failed as failed:
            await self._stack.aclose()
            self._host = None
            return f": {failed}"
        types = oracle.method_types(canonical(method))
        if reply.error is not None or types is None or types.result is None:
            return None
        mismatch = oracle.mismatch(types.result, reply.result)
        if mismatch is None or self._observed.is_mistyped(canonical(method)):
            return None
        return f" got a result of another type ({mismatch})"

    async def _process(self) -> Host:
        if self._host is None:
            self._count += 1
            self._host = await self._stack.enter_async_context(self._processes.started())
        if self._host.ended:
            raise Unproven("the process has ended between two requests")
        return self._host
