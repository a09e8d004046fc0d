"""Checks of agent/resume: a session that goes on, also in another process (protocol §4)."""

from __future__ import annotations

import uuid

from animus_conformance.checks.provider_session import LASTING, Provider, Providers, ProviderSession
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_result, require_served, require_type
from animus_conformance.patience import Patience
from animus_conformance.target.claims import Claims
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import Notification, Reply
from animus_conformance.wire.observer import Observed

_BAD_PARAMS = -32602


@check("provider.resume.result-has-its-type", method="agent/resume")
async def result_has_its_type(providers: Providers, observed: Observed) -> None:
    """Runs a session, resumes it, and holds the result against AgentRunResponse."""
    reply = await (await _resumed(await providers.shared())).reply()
    require_result("agent/resume", reply, "agent/resume of a session that has come to its end")
    require_type(observed, "agent/resume", reply)


@check("provider.resume.keeps-session-id", method="agent/resume")
async def keeps_session_id(providers: Providers) -> None:
    """Compares session_id of a resumed run's result and notifications with the one that was sent."""
    provider = await providers.shared()
    earlier = provider.run()
    _, ran = await earlier.given()
    session = provider.resume(earlier.id)
    result, reply = await session.given()
    if result["session_id"] != session.id:
        raise Failed(f"session {session.id!r} was resumed, and the result names {result['session_id']!r}")
    stray = _stray(session, reply)
    if stray is not None:
        if _stray(earlier, ran) is not None:
            raise Unproven("the notifications of the run that was to be resumed name other sessions, too")
        raise Failed(f"session {session.id!r} was resumed, and {stray.method} came with {stray.params!r:.200}")


@check("provider.resume.in-a-new-process", method="agent/resume")
async def in_a_new_process(projects: Projects, providers: Providers) -> None:
    """Runs and resumes a session, shuts the plugin down, and resumes the session in a new process."""
    project = await projects.new()
    async with providers.started(project) as provider:
        # Resumed in its own process first: so a refusal later is about the new process.
        earlier = await _resumed(provider)
        await earlier.given()
        await provider.host.shut_down()
    async with providers.started(project) as provider:
        reply = await provider.resume(earlier.id).reply()
        if reply.error is not None:
            raise Failed(f"in a new process agent/resume got {reply}, and a result in the one that ran the session")


@check("provider.resume.unknown-session", method="agent/resume")
async def unknown_session(providers: Providers) -> None:
    """Resumes a session that never was."""
    reply = await (await providers.shared()).resume(str(uuid.uuid4())).reply()
    require_served("agent/resume", reply)
    if reply.code != _BAD_PARAMS:
        raise Failed(f"agent/resume of a session that nobody began got {reply}, and not the error {_BAD_PARAMS}")


@check("provider.resume.can-be-cancelled", method="agent/resume")
async def can_be_cancelled(providers: Providers, claims: Claims, patience: Patience) -> None:
    """Cancels a run, resumes its session with the same prompt, and cancels that, too."""
    provider = await providers.shared()
    if "agent/cancel" not in claims.advertised:
        raise NotAdvertised("agent/cancel is not advertised")
    first = await provider.running()
    await provider.cancel(first)
    if await first.ended_within(patience.answer_s) is None:
        raise Unproven("the run that was to be resumed cannot be cancelled")
    session = provider.resume(first.id, LASTING)
    await session.begun()
    if session.answered and (reply := await session.reply()).error is not None:
        raise NotAdvertised(f"a session that was cancelled is not resumed: {reply}")
    await provider.require_running(session)
    answer = await provider.cancel(session)
    if await session.ended_within(patience.answer_s) is None:
        raise Failed(f"agent/cancel of a resumed session got {dict(answer)}, and it went on")


async def _resumed(provider: Provider) -> ProviderSession:
    """A session that ran to its end and is asked to go on."""
    session = provider.run()
    await session.given()
    return provider.resume(session.id)


def _stray(session: ProviderSession, reply: Reply) -> Notification | None:
    """The first notification between request and reply that names another session."""
    own = session.own_notifications(reply)
    return next((notification for notification in session.notifications(reply) if notification not in own), None)
