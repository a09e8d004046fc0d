"""Three lives of one trigger in one project, from which many checks read: watched, shut down, watched, killed, watched.

`TriggerLives` is a part, below which lie the processes and the stream of events. It notes what came; checks judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from animus_conformance.checks.trigger_stream import (
    ACK,
    SCHEMA,
    WATCH,
    Caused,
    ReceivedEvent,
    Stream,
    ack_params,
    answer,
    caused,
)
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import BEGINNING, REFUSALS, Reply

__all__ = ["Lives", "TriggerLives"]

_EVENTS: Final = 3
"""One for each way in which an event may be left behind: acknowledged by a notification, by a request, not at all."""
_Fact = TypeVar("_Fact")


@dataclass
class Lives:
    """What was noted; None is what it did not come to, and `cut_short` says why.

    In the first life three events are caused. Where it acknowledges, the first is acknowledged by a notification, as
    hosts do it, the second by a request and by another, and the third in the second life, right before the process is
    killed. An event that is caused in the second life is never acknowledged.
    """

    acknowledges: bool
    hosts: list[Host] = field(default_factory=list)
    cut_short: str = ""
    flags: Mapping[str, Any] | None = None
    opening: Reply | None = None
    uncaused: list[ReceivedEvent] | None = None
    caused: list[Caused] = field(default_factory=list)
    first_events: list[ReceivedEvent] | None = None
    ack_reply: Reply | None = None
    ack_again_reply: Reply | None = None
    ping_reply: Reply | None = None
    reopening: Reply | None = None
    second_events: list[ReceivedEvent] | None = None
    caused_again: Caused | None = None
    third_events: list[ReceivedEvent] | None = None

    def given(self, fact: _Fact | None) -> _Fact:
        """A fact that was noted. Raises Unproven when it was not."""
        if fact is None:
            raise Unproven(self.cut_short)
        return fact

    def claims(self, flag: str) -> bool:
        """A flag of the schema. Raises Unproven when the schema is of another type."""
        if self.flags is None:
            raise Unproven(f"{SCHEMA} does not say whether it {flag}")
        return bool(self.flags.get(flag))

    def require_claim(self, flag: str) -> None:
        """Raises NotAdvertised when the schema does not claim it."""
        if not self.claims(flag):
            raise NotAdvertised(f"{SCHEMA} does not say {flag}: true")

    def event(self, number: int) -> ReceivedEvent:
        """Of the events that were caused in the first life, this one, from 0 on. Raises Unproven."""
        return self.given(self.caused[number].event if number < len(self.caused) else None)

    @property
    def known(self) -> dict[str, ReceivedEvent]:
        """Every event of the first two lives by its id."""
        return {event.event_id: event for event in [*(self.second_events or []), *(self.first_events or [])]}

    @property
    def strangers(self) -> list[ReceivedEvent]:
        """Events that came in the second life, though nothing had happened, under ids that are new."""
        before = {event.event_id for event in self.given(self.first_events)}
        return [event for event in self.given(self.second_events) if event.event_id not in before]


class TriggerLives:
    """The part: the lives are lived when the first check asks, and noted for all others."""

    def __init__(
        self,
        processes: Processes,
        projects: Projects,
        claims: Claims,
        settings: SuiteSettings,
        patience: Patience,
        conversations: Conversations,
    ) -> None:
        self._processes = processes
        self._claims = claims
        self._conversations = conversations
        self._living = partial(_Living, processes, projects, settings, patience)
        self._lives: Lives | None = None

    async def noted(self) -> Lives:
        """What three processes of one project told, noted once. Raises Unproven when none starts."""
        lives = self._lives
        if lives is None:
            await self._processes.shared()
            advertised = self._claims.advertised
            lives = self._living(acknowledges=ACK in advertised)
            await lives.live(watches=WATCH in advertised)
            self._lives = lives
        for host in lives.hosts:
            # These conversations are evidence of each check that reads from them.
            self._conversations.note(host, since=BEGINNING)
        return lives


class _Living(Lives):
    """Lives while they are lived, with what that takes."""

    def __init__(
        self,
        processes: Processes,
        projects: Projects,
        settings: SuiteSettings,
        patience: Patience,
        *,
        acknowledges: bool,
    ) -> None:
        super().__init__(acknowledges)
        self._processes = processes
        self._projects = projects
        self._settings = settings
        self._patience = patience

    async def live(self, *, watches: bool) -> None:
        """All three, as far as it gets: what one does not come to leaves the rest unproven."""
        try:
            if not watches:
                raise Unproven(f"{WATCH} is not advertised")
            project = await self._projects.new()
            await self._first(project)
            await self._second(project)
            await self._third(project)
        except Unproven as unproven:
            self.cut_short = str(unproven)

    async def _first(self, project: Path) -> None:
        async with self._processes.started(project=project) as host:
            self.hosts.append(host)
            self.flags = await _flags(host)
            stream = await Stream.ask(self._settings, host)
            self.opening = stream.reply
            stream.require_open()
            await stream.pass_time(self._patience.silence_s)
            self.uncaused = stream.events()
            for _ in range(_EVENTS):
                known = {event.event_id: event for event in stream.events()}
                self.caused.append(await caused(self._projects, stream, known))
                if self.caused[-1].event is None:
                    raise Unproven("first nothing new was told of what had happened")
            await stream.pass_time(self._quiet_s)
            self.first_events = stream.events()
            if self.acknowledges:
                host.tell(ACK, ack_params(self._settings, self.event(0).event_id))
                by_request = ack_params(self._settings, self.event(1).event_id)
                self.ack_reply = await answer(host, ACK, by_request)
                self.ack_again_reply = await answer(host, ACK, by_request)
                self.ping_reply = await answer(host, "$/ping", {})
            await host.shut_down()

    async def _second(self, project: Path) -> None:
        resumes_by_cursor = not self.acknowledges and self.flags is not None and self.claims("supports_resume")
        async with self._processes.started(project=project) as host:
            self.hosts.append(host)
            if resumes_by_cursor:
                stream = await Stream.ask(self._settings, host, cursor=self.event(0).event_id)
            else:
                stream = await Stream.ask(self._settings, host)
            self.reopening = stream.reply
            stream.require_open()
            last = self.event(_EVENTS - 1)
            self.second_events = await self._backlog(stream, last)
            self.caused_again = await caused(self._projects, stream, self.known)
            if self.acknowledges:
                await host.given(ACK, ack_params(self._settings, last.event_id))

    async def _third(self, project: Path) -> None:
        if not self.acknowledges:
            raise Unproven(f"{ACK} is not advertised")
        async with self._processes.started(project=project) as host:
            self.hosts.append(host)
            stream = await Stream.open(self._settings, host)
            again = self.given(self.caused_again).event
            self.third_events = await self._backlog(stream, again)

    async def _backlog(self, stream: Stream, awaited: ReceivedEvent | None) -> list[ReceivedEvent]:
        """What a new watch tells, up to the event that is to come back, and what comes soon after it."""
        resumes = self.flags is None or self.claims("supports_resume")
        if resumes and awaited is not None:
            await stream.tells(awaited, self._patience.event_s)
        await stream.pass_time(self._quiet_s)
        return stream.events()

    @property
    def _quiet_s(self) -> float:
        """How long to wait for what should not come: longer than what should come took."""
        slowest = max((cause.seconds for cause in self.caused), default=0.0)
        return min(max(self._patience.silence_s, 2 * slowest), self._patience.event_s)


async def _flags(host: Host) -> Mapping[str, Any] | None:
    """What the schema claims: nothing where there is none, None where it cannot be read."""
    reply = await answer(host, SCHEMA, {})
    if reply.code in REFUSALS:
        return {}
    try:
        schema: Mapping[str, Any] = await host.given(SCHEMA)
    except Unproven:
        return None
    return schema
