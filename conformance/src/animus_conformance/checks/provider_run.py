"""Checks of agent/run: what it is asked, and the result that it gives (protocol §4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from animus_conformance.checks.provider_session import (
    LASTING,
    WORKING_DIRECTORY,
    Provider,
    Providers,
    ProviderSession,
    joined_output,
    succeeded,
)
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_served, require_type
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS, Reply
from animus_conformance.wire.observer import Observed

_CLOCKS_MS: Final = 50
"""Two processes read two clocks, and a tick may lie between."""
_TIMEOUT_SECS: Final = 1
"""The shortest that the protocol can say: the check waits for it."""
_TIMED_OUT: Final = (-32003, -32002)
_BAD_PARAMS: Final = -32602


@check("provider.run.is-offered")
async def is_offered(providers: Providers, claims: Claims) -> None:
    """Looks for agent/run among the methods of manifest and initialize; where it is missing, asks it all the same."""
    provider = await providers.shared()
    if "agent/run" in claims.advertised:
        return
    reply = await provider.run().reply()
    if reply.code not in REFUSALS:
        raise Unproven(f"agent/run is not advertised, and yet it answers with {reply}")
    raise Failed(f"it offers {', '.join(sorted(claims.advertised)) or 'no method'}, and agent/run is refused: {reply}")


@check("provider.run.result-has-its-type", method="agent/run")
async def result_has_its_type(providers: Providers, observed: Observed) -> None:
    """Runs an ordinary prompt and holds the result against AgentRunResponse."""
    reply = await (await providers.shared()).run().reply()
    require_served("agent/run", reply)
    if reply.error is not None:
        raise Failed(f'agent/run was refused: {reply}. What it needs to run may be given in [params."agent/run"]')
    require_type(observed, "agent/run", reply)


@check("provider.run.keeps-session-id", method="agent/run")
async def keeps_session_id(providers: Providers) -> None:
    """Compares the session_id of the result with the one that was sent."""
    session = (await providers.shared()).run()
    result, _ = await session.given()
    if result["session_id"] != session.id:
        raise Failed(f"session_id {session.id!r} was sent, and {result['session_id']!r} came back")


@check("provider.run.exit-code-0", method="agent/run")
async def exit_code_0(providers: Providers) -> None:
    """Runs an ordinary prompt and looks at exit_code; a run that tells of an error proves nothing."""
    session = (await providers.shared()).run()
    result, reply = await session.given()
    if result["exit_code"] == 0:
        return
    notifications = [
        notification.params for notification in session.notifications(reply) if notification.method == "agent/error"
    ]
    if result.get("errors") or notifications:
        raise Unproven(f"the run went wrong: {result.get('errors') or notifications}")
    raise Failed(f"exit_code is {result['exit_code']}, and the run tells of no error")


@check("provider.run.duration-in-milliseconds", method="agent/run")
async def duration_in_milliseconds(providers: Providers) -> None:
    """Compares duration_ms with the time between request and reply."""
    session = (await providers.shared()).run()
    result, _ = await session.given()
    waited_ms = (time.monotonic() - session.began) * 1000
    if result["duration_ms"] > waited_ms * 1.05 + _CLOCKS_MS:
        raise Failed(f"duration_ms is {result['duration_ms']}, and the answer came after {waited_ms:.0f} ms")


@check("provider.run.needs-prompt-and-cwd-only", method="agent/run")
async def needs_prompt_and_cwd_only(providers: Providers) -> None:
    """Runs without a session_id and without env."""
    provider = await providers.shared()
    params = provider.params()
    del params["session_id"]
    result = await _served(provider, provider.begin("agent/run", params), "prompt and cwd alone")
    if result.get("session_id") == "":
        raise Failed("a run without session_id got an empty one")


@check("provider.run.accepts-optional-params", method="agent/run")
async def accepts_optional_params(providers: Providers) -> None:
    """Runs with the optional params that hosts send."""
    provider = await providers.shared()
    session = provider.run(
        system_prompt="You work in a small repository. Be brief.",
        project_root=str(provider.host.project),
        timeout_secs=60,
        env={"ANIMUS_PHASE": "implement"},
        runtime_contract={"subject_id": "TASK-1", "phase_id": "implement", "attempt": 1},
    )
    await _served(provider, session, "system_prompt, project_root, timeout_secs, env and runtime_contract")


@check("provider.run.ignores-unknown-params", method="agent/run")
async def ignores_unknown_params(providers: Providers) -> None:
    """Runs with params that nobody has heard of."""
    provider = await providers.shared()
    await _served(provider, provider.run(x_new={"deep": [1, None]}, x_trace="7f3a"), "unknown params")


@check("provider.run.takes-any-text", method="agent/run")
async def takes_any_text(providers: Providers) -> None:
    """Runs a prompt with several lines, quotes and letters of many scripts, in a folder with such a name."""
    provider = await providers.shared()
    folder = provider.host.project / "Größe – 数 (1)"
    folder.mkdir(exist_ok=True)
    prompt = f"{provider.params()['prompt']}\n\n\t\"Grüße\", 'naïve' \\ $HOME – 你好, мир 🎈\n"
    await _served(provider, provider.run(prompt=prompt, cwd=str(folder)), "a prompt and a folder in many scripts")


@check("provider.run.refuses-missing-prompt", method="agent/run")
async def refuses_missing_prompt(providers: Providers) -> None:
    """Asks for a run without a prompt."""
    await _refuses_without(providers, "prompt")


@check("provider.run.refuses-missing-cwd", method="agent/run")
async def refuses_missing_cwd(providers: Providers) -> None:
    """Asks for a run without a working directory."""
    await _refuses_without(providers, "cwd")


@check("provider.run.two-sessions-at-once", method="agent/run")
async def two_sessions_at_once(providers: Providers) -> None:
    """Asks for two runs without waiting, and holds each result against what was told in its name."""
    provider = await providers.shared()
    sessions = provider.run(), provider.run()
    try:
        replies = await _both(*sessions)
    except Failed as failed:
        await provider.run().given()
        raise Failed(f"{failed}; one alone has a result") from None
    for session, other, reply in zip(sessions, reversed(sessions), replies, strict=True):
        if reply.error is not None:
            continue  # one at a time, and said so
        if reply.result.get("session_id") == other.id:
            raise Failed(f"the run of session {session.id} was answered with the result of the other, {other.id}")
        if not _joins(session, reply):
            await _require_joining(provider)
            raise Failed(f"what was told in the name of {session.id} is not its output, as it is for a single run")


@check("provider.run.same-session-twice", method="agent/run")
async def same_session_twice(providers: Providers) -> None:
    """Asks for two runs of the same session without waiting; looks for pieces of both that are mixed."""
    provider = await providers.shared()
    first = provider.run()
    try:
        replies = await _both(first, provider.run(session_id=first.id))
    except Failed as failed:
        await _given_both(provider)
        raise Failed(f"{failed}; of two sessions each has an answer") from None
    if any(reply.error is not None for reply in replies):
        return  # refused
    earlier, later = sorted(replies, key=lambda reply: reply.notifications_before)
    if not (_joins(first, earlier) and _joins(first, later, earlier.notifications_before)):
        await _require_joining(provider)
        raise Failed("both ran at once: before the first result came pieces that are not of its output")


@check("provider.run.works-in-cwd", method="agent/run")
async def works_in_cwd(providers: Providers, settings: SuiteSettings) -> None:
    """Runs a prompt that makes the agent tell its working directory, in a folder below the project."""
    provider = await providers.shared()
    if WORKING_DIRECTORY not in settings.params:
        raise Unproven(
            "nothing shows where the agent works: name a prompt in conformance.toml that makes it print its working "
            f'directory, [params."{WORKING_DIRECTORY}"] prompt = "…"'
        )
    folder = provider.host.project / "checkout"
    folder.mkdir(exist_ok=True)
    session = provider.run(WORKING_DIRECTORY, cwd=str(folder))
    result, reply = await session.given()
    results = [
        notification.params
        for notification in session.own_notifications(reply)
        if notification.method == "agent/toolResult"
    ]
    shown = [result["output"], *(str(tool_result.get("output")) for tool_result in results)]
    if not any(str(path) in text for path in (folder, folder.resolve()) for text in shown):
        raise Failed(f"cwd was {folder}, and the agent told {shown}")


@check("provider.run.timeout-is-told", method="agent/run")
async def timeout_is_reported(providers: Providers, patience: Patience) -> None:
    """Gives a run that lasts one second, and looks at how it ends."""
    provider = await providers.shared()
    if not provider.lasts:
        raise Unproven(
            "no run is known to last: name a prompt that lasts until it is cancelled in conformance.toml, "
            f'[params."{LASTING}"] prompt = "…"'
        )
    session = provider.run(LASTING, timeout_secs=_TIMEOUT_SECS)
    reply = await session.ended_within(_TIMEOUT_SECS + patience.exit_s)
    lasted_s = time.monotonic() - session.began
    if reply is None:
        await provider.let_go(session)
        raise NotAdvertised(f"it leaves timeout_secs to the host: the run went on for {lasted_s:.1f} s")
    if lasted_s < _TIMEOUT_SECS / 2:
        raise Unproven(f"the run ended after {lasted_s:.1f} s already, with {reply}")
    if succeeded(reply) or (reply.error is not None and reply.code not in _TIMED_OUT):
        raise Failed(f"after timeout_secs {_TIMEOUT_SECS} the run ended with {reply}")


async def _served(provider: Provider, session: ProviderSession, what: str) -> Mapping[str, Any]:
    """The result of a run that differs from an ordinary one. Raises Failed when it goes wrong for that reason."""
    try:
        reply = await session.reply()
    except Failed as failed:
        trouble = str(failed)
    else:
        if isinstance(reply.result, Mapping) and reply.result.get("exit_code") in (0, None):
            return reply.result
        trouble = f"the run came to {reply}"
    _, ordinary = await provider.run().given()
    if not succeeded(ordinary):
        raise Unproven(f"an ordinary run comes to {ordinary}")
    raise Failed(f"with {what} {trouble}, and an ordinary run succeeds")


async def _refuses_without(providers: Providers, name: str) -> None:
    provider = await providers.shared()
    params = provider.params()
    del params[name]
    reply = await provider.begin("agent/run", params).reply()
    require_served("agent/run", reply)
    if reply.code != _BAD_PARAMS:
        raise Failed(f"agent/run without {name} got {reply}, and not the error {_BAD_PARAMS}")


async def _both(first: ProviderSession, second: ProviderSession) -> list[Reply]:
    """The answers to two runs at once, at least one of them a result. Raises Failed otherwise."""
    answers = await asyncio.gather(first.reply(), second.reply(), return_exceptions=True)
    replies = [answer for answer in answers if isinstance(answer, Reply)]
    if len(replies) < len(answers) or not any(isinstance(reply.result, Mapping) for reply in replies):
        raise Failed(f"of two runs at once came {' and '.join(map(str, answers))}")
    return replies


async def _given_both(provider: Provider) -> None:
    """Raises Unproven when two different sessions are not answered either."""
    try:
        await _both(provider.run(), provider.run())
    except Failed as failed:
        raise Unproven(f"first {failed}") from None


def _joins(session: ProviderSession, reply: Reply, after: int | None = None) -> bool:
    streamed = joined_output(session.own_notifications(reply, after))
    return streamed is None or streamed.strip() == str(reply.result.get("output")).strip()


async def _require_joining(provider: Provider) -> None:
    session = provider.run()
    _, reply = await session.given()
    if not _joins(session, reply):
        raise Unproven("the pieces of a single run do not join to its output either")
