"""Checks of what a provider tells while an agent runs (protocol §4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from animus_conformance import oracle
from animus_conformance.checks.provider_session import ORDINARY, WITH_TOOLS, Providers, ProviderSession, joined_output
from animus_conformance.checks.registry import check
from animus_conformance.patience import Patience
from animus_conformance.target.claims import Claims
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import Notification, Reply


class StreamedRun(NamedTuple):
    """A run that has come to its result, and what was told until then."""

    session: ProviderSession
    reply: Reply
    notifications: list[Notification]


@check("provider.stream.streams", method="agent/run")
async def streams(providers: Providers, claims: Claims) -> None:
    """Runs an ordinary prompt, where capabilities say streaming, and looks for notifications before the reply."""
    run = await _streamed(providers, ORDINARY)
    if claims.capabilities.get("streaming") is not True:
        raise NotAdvertised("capabilities.streaming is not true")
    if not run.notifications:
        raise Failed("capabilities.streaming is true, and no notification came before the result")


@check("provider.stream.notifications-have-their-types", method="agent/run")
async def notifications_have_their_types(providers: Providers) -> None:
    """Holds every agent/ notification of an ordinary run, and of one with tools, against its type."""
    notifications = [
        *(await _streamed_something(providers)).notifications,
        *(await _streamed(providers, WITH_TOOLS)).notifications,
    ]
    for notification in notifications:
        wrong = _mismatch(notification)
        if wrong is not None:
            raise Failed(f"{notification.method}: {wrong}")


@check("provider.stream.names-its-session", method="agent/run")
async def names_its_session(providers: Providers) -> None:
    """Compares session_id in every notification of a run with the one that was sent."""
    run = await _streamed_something(providers)
    for notification in _typed(run.notifications):
        named = notification.params["session_id"]
        if named != run.session.id:
            raise Failed(f"{notification.method} names {named!r} during the run of {run.session.id!r}")


@check("provider.stream.joins-to-output", method="agent/run")
async def joins_to_output(providers: Providers) -> None:
    """Joins the texts of agent/output and compares them with the result's output, but for white space at the ends."""
    run = await _streamed_something(providers)
    streamed = joined_output(_typed(run.notifications))
    if streamed is None:
        raise NotAdvertised("it tells of the run without agent/output")
    if streamed.strip() != run.reply.result["output"].strip():
        raise Failed(f"agent/output joins to {streamed!r:.300}, and output is {run.reply.result['output']!r:.300}")


@check("provider.stream.final-is-last", method="agent/run")
async def final_is_last(providers: Providers) -> None:
    """Looks for text after the piece that says that it is the last."""
    run = await _streamed_something(providers)
    pieces = [
        notification.params for notification in _typed(run.notifications) if notification.method == "agent/output"
    ]
    finals = [number for number, piece in enumerate(pieces) if piece.get("is_final") or piece.get("final")]
    if not finals:
        raise NotAdvertised("no agent/output says that it is the last piece")
    late = [piece["text"] for piece in pieces[finals[0] + 1 :] if piece["text"]]
    if late:
        raise Failed(f"after the last piece came {late[0]!r:.200}")


@check("provider.stream.ends-before-the-reply", method="agent/run")
async def ends_before_the_reply(providers: Providers, patience: Patience) -> None:
    """Waits a moment after the result of a run for notifications of its session."""
    run = await _streamed_something(providers)
    late = await run.session.next_notification(run.reply.notifications_before, patience.silence_s)
    if late is not None:
        raise Failed(f"after the result of the run came {late.method} {late.params!r:.200}")


@check("provider.stream.tool-calls-before-results", method="agent/run")
async def tool_calls_before_results(providers: Providers) -> None:
    """Runs a prompt that uses tools and looks for a result whose call did not come before."""
    notifications = _typed((await _streamed_something(providers, WITH_TOOLS)).notifications)
    if not any(notification.method == "agent/toolResult" for notification in notifications):
        raise Unproven(
            "no agent/toolResult came: name a prompt that uses a tool in conformance.toml, "
            f'[params."{WITH_TOOLS}"] prompt = "…"'
        )
    stray = _result_without_call(notifications)
    if stray is not None:
        raise Failed(f"agent/toolResult of {stray!r} came without an open agent/toolCall of that name")


async def _streamed(providers: Providers, task: str) -> StreamedRun:
    session = (await providers.shared()).run(task)
    _, reply = await session.given()
    return StreamedRun(session, reply, session.notifications(reply))


async def _streamed_something(providers: Providers, task: str = ORDINARY) -> StreamedRun:
    """A run with notifications. Raises NotAdvertised when there are none: a provider may only return."""
    run = await _streamed(providers, task)
    if not run.notifications:
        raise NotAdvertised("it tells nothing before the result")
    return run


def _typed(notifications: Sequence[Notification]) -> list[Notification]:
    for notification in notifications:
        wrong = _mismatch(notification)
        if wrong is not None:
            # Types are a check of their own: what depends on them is unproven as long as they are wrong.
            raise Unproven(f"{notification.method} has not the protocol's type ({wrong})")
    return [*notifications]


def _mismatch(notification: Notification) -> str | None:
    types = oracle.method_types(notification.method)
    return "no notification of the protocol" if types is None else oracle.mismatch(types.params, notification.params)


def _result_without_call(notifications: Sequence[Notification]) -> str | None:
    """The tool of the first result that no open call precedes."""
    calls: Counter[str] = Counter()
    for notification in notifications:
        if notification.method == "agent/toolCall":
            calls[notification.params["name"]] += 1
        elif notification.method == "agent/toolResult":
            name: str = notification.params["name"]
            if not calls[name]:
                return name
            calls[name] -= 1
    return None
