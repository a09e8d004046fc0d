"""Initialized processes of the plugin: one of its own for a check, or one that many checks use after each other.

Below it lie the launcher, and the claims, which learn from every `initialize`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, NamedTuple

from animus_conformance.profiles import Profile
from animus_conformance.target.claims import Claims
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.launcher import Launcher
from animus_conformance.verdict import Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Reply

__all__ = ["Processes"]

_Use = Literal["shared", "rough"]


class _Kept(NamedTuple):
    """A process that several checks use one after the other."""

    host: Host
    greeting: Reply


class Processes:
    """Two processes are kept, since a start costs more than most checks.

    What a check does roughly may leave a process in a bad state: such checks share another one, and it is replaced
    after a check that did not pass, so that no check is blamed for what another has done.
    """

    def __init__(self, launcher: Launcher, claims: Claims, conversations: Conversations) -> None:
        self._launcher = launcher
        self._claims = claims
        self._conversations = conversations
        self._kept: dict[_Use, _Kept] = {}
        self._rough_is_spoilt = False
        self._has_started = False
        self._never_starts = ""

    @contextlib.asynccontextmanager
    async def started(self, *, project: Path | None = None, profile: Profile | None = None) -> AsyncIterator[Host]:
        """An initialized process of its own; killed at the end of the block. Raises Unproven when it does not start."""
        self._require_hope()
        async with self._launcher.spawned(project=project, profile=profile) as host:
            await self._greet(host)
            yield host

    async def shared(self) -> Host:
        """An initialized process that gentle checks share; a new one when the last one has ended. Raises Unproven."""
        return (await self._keep("shared")).host

    async def greeting(self) -> Reply:
        """What `initialize` of the shared process came to. Raises Unproven when it does not start."""
        return (await self._keep("shared")).greeting

    async def rough(self) -> Host:
        """An initialized process that rough checks share; a new one after a check that did not pass."""
        return (await self._keep("rough")).host

    def give_up_rough(self) -> None:
        """The check that runs did not pass: what it used roughly is no longer to be trusted."""
        kept = self._kept.get("rough")
        self._rough_is_spoilt = kept is not None and self._conversations.includes(kept.host)

    async def close(self) -> None:
        """End what is kept; what goes wrong with one, a signal included, spares no other."""
        async with contextlib.AsyncExitStack() as ending:
            for use in self._kept:
                ending.push_async_callback(self._drop, use)

    async def _greet(self, host: Host) -> Reply:
        try:
            reply = await host.greet()
        except Unproven as unproven:
            # Once it has started, or with another profile, the next try may go well.
            if not self._has_started and host.profile is self._launcher.profile:
                self._never_starts = str(unproven)
            raise
        self._has_started = True
        self._claims.learn(host.initialized)
        return reply

    def _require_hope(self) -> None:
        """Whoever never starts is not waited for again in every check, for half a minute each. Raises Unproven."""
        if self._never_starts:
            raise Unproven(self._never_starts)

    async def _keep(self, use: _Use) -> _Kept:
        kept = self._kept.get(use)
        if kept is None or kept.host.is_gone or (use == "rough" and self._rough_is_spoilt):
            await self._drop(use)
            self._require_hope()
            host = await self._launcher.spawn()
            try:
                kept = _Kept(host, await self._greet(host))
            except BaseException:
                await host.close()  # whoever asks next is not to take it for one that was initialized
                raise
            self._kept[use] = kept
        self._conversations.note(kept.host)
        return kept

    async def _drop(self, use: _Use) -> None:
        kept = self._kept.pop(use, None)
        if kept is not None:
            await kept.host.close()
        if use == "rough":
            self._rough_is_spoilt = False
