"""One process of a provider as the checks use it: sessions begin, are followed, cancelled and resumed (protocol §4).

`Providers` is a part, below which lie the processes. What the agent is asked to do comes from `conformance.toml`:
`[params."agent/run"]` for an ordinary run, and more specific tables over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.replies import given_reply
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Notification, Reply

__all__ = [
    "LASTING",
    "NOTIFICATIONS",
    "ORDINARY",
    "WITH_TOOLS",
    "WORKING_DIRECTORY",
    "Provider",
    "ProviderSession",
    "Providers",
    "joined_output",
    "succeeded",
]

ORDINARY: Final = "agent/run"
LASTING: Final = "agent/run.long"
WITH_TOOLS: Final = "agent/run.tools"
WORKING_DIRECTORY: Final = "agent/run.cwd"

_TELLS: Final = ("output", "thinking", "toolCall", "toolResult", "error")
NOTIFICATIONS: Final = frozenset(f"agent/{what}" for what in _TELLS)

_PROMPT: Final = "Reply with one short sentence that says you are ready."
_SILENT_BEGIN: Final = 4
"""How many times as long as elsewhere nothing has to come, before a silent run counts as begun."""
_RESPONSE: Final = "provider#/$defs/AgentRunResponse"
_ENDED_EARLY: Final = (
    "the run ended before it could be cancelled: name a prompt that lasts until it is cancelled in conformance.toml, "
    f'[params."{LASTING}"] prompt = "…"'
)


class ProviderSession:
    """A run, or a resumed one, from its request on."""

    def __init__(self, host: Host, session_id: str, request_id: int, run_s: float) -> None:
        self.id = session_id
        self.request_id = request_id
        self.host = host
        self.first_notification = host.notifications.count
        """The number of the first notification that may be of this run."""
        self.began = time.monotonic()
        self._run_s = run_s

    @property
    def answered(self) -> bool:
        """Whether the run is over."""
        return self.host.answered(self.request_id)

    async def reply(self, within_s: float | None = None) -> Reply:
        """What the run came to. Raises Failed when it gets no answer."""
        return await self.host.reply(self.request_id, self._run_s if within_s is None else within_s)

    async def ended_within(self, limit_s: float) -> Reply | None:
        """What the run came to, or None when it is still without an answer after `limit_s` seconds."""
        try:
            return await self.reply(limit_s)
        except Failed:
            return None

    async def given(self) -> tuple[Mapping[str, Any], Reply]:
        """The result, an AgentRunResponse, and its reply. Raises Unproven for anything else."""
        reply = await given_reply(self.host, self.request_id, "a run", self._run_s)
        wrong = oracle.mismatch(_RESPONSE, reply.result)
        if wrong is not None:
            raise Unproven(f"the result of a run has not the protocol's type ({wrong})")
        return reply.result, reply

    async def begun(self) -> None:
        """Wait until it tells something or is over, but not for long: an agent may think in silence."""
        within_s = self.host.patience.silence_s * _SILENT_BEGIN
        news = [
            asyncio.ensure_future(self.ended_within(within_s)),
            asyncio.ensure_future(self.next_notification(self.first_notification, within_s)),
        ]
        await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
        for task in news:
            task.cancel()
        await asyncio.wait(news)

    async def next_notification(self, after: int, within_s: float) -> Notification | None:
        """The first notification of this session from number `after` on, or None when none comes in time."""
        return await self.host.notifications.next(NOTIFICATIONS, self._is_named, after=after, within_s=within_s)

    def notifications(self, reply: Reply, after: int | None = None) -> list[Notification]:
        """The notifications of any session between its request, or number `after`, and `reply`."""
        sent = self.host.notifications.since(
            self.first_notification if after is None else after, reply.notifications_before
        )
        return [notification for notification in sent if notification.method in NOTIFICATIONS]

    def own_notifications(self, reply: Reply, after: int | None = None) -> list[Notification]:
        """Those of them that name this session."""
        return [
            notification for notification in self.notifications(reply, after) if self._is_named(notification.params)
        ]

    def _is_named(self, params: Any) -> bool:
        return isinstance(params, Mapping) and params.get("session_id") == self.id


class Provider:
    """One process of the provider, which is asked to work in its own project folder."""

    def __init__(self, host: Host, settings: SuiteSettings) -> None:
        self.host = host
        self._settings = settings

    @property
    def lasts(self) -> bool:
        """Whether the settings name a prompt whose run lasts until it is cancelled."""
        return LASTING in self._settings.params

    def params(self, task: str = ORDINARY, **changes: Any) -> dict[str, Any]:
        """The params of a run in a new session; `task` is the settings' table, laid over that of `agent/run`."""
        given = self._settings.params
        session = {"cwd": str(self.host.project), "session_id": str(uuid.uuid4())}
        # Folder and session come last: each run has its own, whatever the settings say of the others.
        return {"prompt": _PROMPT, **given.get(ORDINARY, {}), **given.get(task, {}), **session, **changes}

    def run(self, task: str = ORDINARY, **changes: Any) -> ProviderSession:
        """Ask for a run, without waiting."""
        return self.begin("agent/run", self.params(task, **changes))

    def resume(self, session_id: str, task: str = "agent/resume") -> ProviderSession:
        """Ask for a session to be resumed, without waiting."""
        return self.begin("agent/resume", self.params(task, session_id=session_id))

    def begin(self, method: str, params: Mapping[str, Any]) -> ProviderSession:
        """Send a request that begins a run."""
        limit_s = params.get("timeout_secs")
        patience = self.host.patience
        run_s = max(patience.start_s, limit_s + patience.answer_s) if isinstance(limit_s, int) else patience.start_s
        return ProviderSession(self.host, str(params.get("session_id")), self.host.send(method, params), run_s)

    async def running(self, task: str = LASTING) -> ProviderSession:
        """A run that goes on. Raises Unproven when it was refused, or ended by itself."""
        session = self.run(task)
        await session.begun()
        await self.require_running(session)
        return session

    async def require_running(self, session: ProviderSession) -> None:
        """Raises Unproven when the run is over."""
        if session.answered:
            await session.given()
            raise Unproven(_ENDED_EARLY)

    async def cancel(self, session: ProviderSession) -> Mapping[str, Any]:
        """The AgentCancelResponse for a session. Raises Unproven for any trouble."""
        answer: Mapping[str, Any] = await self.host.given("agent/cancel", {"session_id": session.id})
        return answer

    async def let_go(self, session: ProviderSession) -> None:
        """Leave no run behind for the next check, as far as the plugin can be moved to it."""
        self.host.send("agent/cancel", {"session_id": session.id})
        await session.ended_within(self.host.patience.answer_s)

    def require_early_end(self, reply: Reply) -> None:
        """Raises Unproven when a run may have ended by itself, because nobody named a prompt that lasts."""
        if succeeded(reply) and not self.lasts:
            raise Unproven(_ENDED_EARLY)


class Providers:
    """Processes of the provider, as checks ask for them."""

    def __init__(self, processes: Processes, settings: SuiteSettings) -> None:
        self._processes = processes
        self._settings = settings

    async def shared(self) -> Provider:
        """The process that gentle checks share. Raises Unproven."""
        return Provider(await self._processes.shared(), self._settings)

    @contextlib.asynccontextmanager
    async def started(self, project: Path | None = None) -> AsyncIterator[Provider]:
        """A process of its own, killed at the end of the block. Raises Unproven."""
        async with self._processes.started(project=project) as host:
            yield Provider(host, self._settings)


def succeeded(reply: Reply) -> bool:
    """Whether a run came to a result with exit code 0."""
    return reply.error is None and isinstance(reply.result, Mapping) and reply.result.get("exit_code") == 0


def joined_output(notifications: list[Notification]) -> str | None:
    """The answer as it was streamed; None when no piece of it was. Raises Unproven for a piece that has no text."""
    pieces = [
        notification.params.get("text") for notification in notifications if notification.method == "agent/output"
    ]
    if not all(isinstance(piece, str) for piece in pieces):
        raise Unproven("agent/output came without a text")
    return "".join(pieces) if pieces else None
