"""Three lives of one trigger in one project, from which many checks read: watched, shut down, watched, killed, watched.

Lived once a run and kept with the plugin under test; it only notes what came, and the checks decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from animus_conformance.checks.trigger_stream import (
    ACK,
    SCHEMA,
    WATCH,
    Caused,
    Event,
    Stream,
    ack_params,
    answer,
    caused,
)
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import NotAdvertised, Unproven
from animus_conformance.wire.host import BEGINNING, REFUSALS, Host, Reply

__all__ = ["Lives", "lives_of"]

_EVENTS: Final = 3
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
    uncaused: list[Event] | None = None
    caused: list[Caused] = field(default_factory=list)
    first_told: list[Event] | None = None
    ack_reply: Reply | None = None
    ack_again_reply: Reply | None = None
    ping_reply: Reply | None = None
    reopening: Reply | None = None
    told_again: list[Event] | None = None
    caused_again: Caused | None = None
    told_after_kill: list[Event] | None = None

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

    def event(self, number: int) -> Event:
        """Of the events that were caused in the first life, this one, from 0 on. Raises Unproven."""
        return self.given(self.caused[number].event if number < len(self.caused) else None)

    @property
    def known(self) -> dict[str, Event]:
        """Every event of the first two lives by its id."""
        return {one.event_id: one for one in [*(self.told_again or []), *(self.first_told or [])]}

    @property
    def strangers(self) -> list[Event]:
        """Events that came in the second life, though nothing had happened, under ids that are new."""
        before = {one.event_id for one in self.given(self.first_told)}
        return [one for one in self.given(self.told_again) if one.event_id not in before]


_lives: Final[WeakKeyDictionary[PluginUnderTest, Lives]] = WeakKeyDictionary()


async def lives_of(plugin: PluginUnderTest) -> Lives:
    """What three processes of one project told, noted once. Raises Unproven when none starts."""
    lives = _lives.get(plugin)
    if lives is None:
        await plugin.shared()
        lives = Lives(acknowledges=ACK in plugin.advertised)
        try:
            await _live(plugin, lives)
        except Unproven as unproven:
            lives.cut_short = str(unproven)
        _lives[plugin] = lives
    for host in lives.hosts:
        plugin.used.setdefault(host, BEGINNING)  # these conversations are evidence of each check that reads from them
    return lives


async def _live(plugin: PluginUnderTest, lives: Lives) -> None:
    if WATCH not in plugin.advertised:
        raise Unproven(f"{WATCH} is not advertised")
    project = await plugin.project()
    await _first(plugin, lives, project)
    await _second(plugin, lives, project)
    await _third(plugin, lives, project)


async def _first(plugin: PluginUnderTest, lives: Lives, project: Path) -> None:
    async with plugin.started(project=project) as host:
        lives.hosts.append(host)
        lives.flags = await _flags(host)
        stream = await Stream.ask(plugin, host)
        lives.opening = stream.reply
        stream.require_open()
        await stream.pass_time(plugin.patience.silence_s)
        lives.uncaused = stream.events()
        for _ in range(_EVENTS):
            lives.caused.append(await caused(plugin, stream, {one.event_id: one for one in stream.events()}))
            if lives.caused[-1].event is None:
                raise Unproven("first nothing new was told of what had happened")
        await stream.pass_time(_quiet_s(plugin, lives))
        lives.first_told = stream.events()
        if lives.acknowledges:
            host.tell(ACK, ack_params(plugin, lives.event(0).event_id))
            by_request = ack_params(plugin, lives.event(1).event_id)
            lives.ack_reply = await answer(host, ACK, by_request)
            lives.ack_again_reply = await answer(host, ACK, by_request)
            lives.ping_reply = await answer(host, "$/ping", {})
        await host.shut_down()


async def _second(plugin: PluginUnderTest, lives: Lives, project: Path) -> None:
    resumes_by_cursor = not lives.acknowledges and lives.flags is not None and lives.claims("supports_resume")
    async with plugin.started(project=project) as host:
        lives.hosts.append(host)
        if resumes_by_cursor:
            stream = await Stream.ask(plugin, host, cursor=lives.event(0).event_id)
        else:
            stream = await Stream.ask(plugin, host)
        lives.reopening = stream.reply
        stream.require_open()
        last = lives.event(_EVENTS - 1)
        lives.told_again = await _backlog(plugin, lives, stream, last)
        lives.caused_again = await caused(plugin, stream, lives.known)
        if lives.acknowledges:
            await host.given(ACK, ack_params(plugin, last.event_id))


async def _third(plugin: PluginUnderTest, lives: Lives, project: Path) -> None:
    if not lives.acknowledges:
        raise Unproven(f"{ACK} is not advertised")
    async with plugin.started(project=project) as host:
        lives.hosts.append(host)
        stream = await Stream.open(plugin, host)
        again = lives.given(lives.caused_again).event
        lives.told_after_kill = await _backlog(plugin, lives, stream, again)


async def _backlog(plugin: PluginUnderTest, lives: Lives, stream: Stream, awaited: Event | None) -> list[Event]:
    """What a new watch tells, up to the event that is to come back, and what comes soon after it."""
    resumes = lives.flags is None or lives.claims("supports_resume")
    if resumes and awaited is not None:
        await stream.tells(awaited, plugin.patience.event_s)
    await stream.pass_time(_quiet_s(plugin, lives))
    return stream.events()


def _quiet_s(plugin: PluginUnderTest, lives: Lives) -> float:
    """How long to wait for what should not come: longer than what should come took."""
    slowest = max((one.seconds for one in lives.caused), default=0.0)
    return min(max(plugin.patience.silence_s, 2 * slowest), plugin.patience.event_s)


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
