"""A run: the checks in their order, each with its verdict.

Below it lie the checks, and the parts of the run that they ask for.
"""

from __future__ import annotations

import asyncio
import shlex
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from animus_conformance.budget.limits import Budget
from animus_conformance.checks.registry import Check, checks_for
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.harmless import harmless_params
from animus_conformance.judgement import Report, levels_of
from animus_conformance.kinds import Kind
from animus_conformance.parts import Parts
from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE, Profile
from animus_conformance.settings import FILE_NAME, SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import (
    CheckEnded,
    CheckOutcome,
    CheckVerdict,
    Failed,
    Level,
    NotAdvertised,
    Unproven,
)
from animus_conformance.wire.messages import REFUSALS
from animus_conformance.wire.observer import Observed

__all__ = ["run", "run_check"]


async def run(
    parts: Parts,
    chosen: Sequence[Check],
    on_outcome: Callable[[CheckOutcome], None] = lambda _: None,
    *,
    on_begin: Callable[[Check], None] = lambda _: None,
    strict: bool = False,
) -> Report:
    """Carry out the checks one after the other; `on_begin` and `on_outcome` are called for each at once.

    With `strict` a SHOULD decides about its level like a MUST.
    """
    outcomes: list[CheckOutcome] = []
    for check in chosen:
        on_begin(check)
        outcomes.append(await run_check(parts, check))
        on_outcome(outcomes[-1])
    kind, manifest = parts.part(Kind), parts.part(Claims).manifest
    return Report(
        plugin={key: manifest.get(key) for key in ("name", "version", "plugin_kind", "protocol_version")},
        kind=kind.name,
        command=parts.part(Launcher).command,
        profile=parts.part(Profile).name,
        seed=parts.part(FuzzOptions).seed,
        levels=levels_of(outcomes, strict=strict),
        outcomes=outcomes,
        strict=strict,
        complete=_is_complete(kind, chosen),
    )


def _is_complete(kind: Kind, chosen: Sequence[Check]) -> bool:
    deepest = max((check.requirement.level for check in chosen), default=Level.L0)
    names = {check.requirement.id for check in chosen}
    return all(check.requirement.id in names for check in checks_for(kind, deepest))


async def run_check(parts: Parts, check: Check, today: date | None = None) -> CheckOutcome:
    """Carry out one check; nothing that it raises gets further than its outcome."""
    conversations, requirement = parts.part(Conversations), check.requirement
    conversations.begin()
    parts.part(Observed).violations.begin(requirement.id)
    began = time.monotonic()
    verdict, reason, trouble = await _verdict(parts, check)
    evidence = "" if verdict is CheckVerdict.PASS else "\n".join(filter(None, (conversations.evidence(), trouble)))
    # Also after a check that stayed unproven: what it has done to the process before that is not known.
    if verdict not in (CheckVerdict.PASS, CheckVerdict.NOT_ADVERTISED):
        parts.part(Processes).give_up_rough()
    outcome = CheckOutcome(
        id=requirement.id,
        level=requirement.level,
        strength=requirement.strength,
        verdict=verdict,
        reason=reason,
        seconds=round(time.monotonic() - began, 3),
        evidence=evidence,
        reproduction=_reproduction(parts, requirement.id),
    )
    return _as_expected(outcome, parts.part(SuiteSettings), today or datetime.now(UTC).date())


class _Ended(NamedTuple):
    """How a check ended. `trouble` is a traceback where the suite itself failed."""

    verdict: CheckVerdict
    reason: str = ""
    trouble: str = ""


async def _verdict(parts: Parts, check: Check) -> _Ended:
    limit_s = parts.part(Patience).check_s
    try:
        async with asyncio.timeout(limit_s):
            if check.method is not None:
                await _require_advertised(parts, check.method)
            await check.function(**parts.arguments_of(check.function))
    except CheckEnded as reached:
        return _Ended(reached.verdict, str(reached))
    except TimeoutError:
        # No failure: every wait for the plugin has a shorter deadline of its own, which would have said what failed.
        return _Ended(
            CheckVerdict.UNPROVEN,
            f"the check did not come to an end within {limit_s:g} s; --patience 3 gives it more time",
        )
    except Exception as error:  # noqa: BLE001 - the boundary: a bug in one check must not end the run
        return _Ended(CheckVerdict.UNPROVEN, f"the suite failed: {error!r}", traceback.format_exc())
    return _Ended(CheckVerdict.PASS)


async def _require_advertised(parts: Parts, method: str) -> None:
    """For another method: raises NotAdvertised when the plugin refuses it, as it should, else Unproven."""
    host = await parts.part(Processes).shared()  # before the claims are read: the methods of `initialize` count too
    claims = parts.part(Claims)
    if method in claims.advertised:
        return
    try:
        reply = await host.ask(claims.method(method), harmless_params(method))
    except Failed as failed:
        raise Unproven(f"{method} is not advertised, and {failed}") from None
    if reply.code in REFUSALS:
        raise NotAdvertised(f"{method} is refused with {reply.code}")
    raise Unproven(f"{method} is not advertised, and yet it answers with {reply}")


def _reproduction(parts: Parts, requirement_id: str) -> str:
    """The command that comes to the same; what was seen during other checks needs those, too."""
    during = [violation.during for violation in parts.part(Observed).violations.of(requirement_id)]
    names = list(dict.fromkeys([*during, requirement_id]))
    profile, patience, budget = parts.part(Profile), parts.part(Patience), parts.part(Budget)
    file = parts.part(SuiteSettings).file
    options = ["--kind", parts.part(Kind).name]
    for name in names:
        options += ["--only", name]
    if profile != DEFAULT_PROFILE:
        options += ["--profile", profile.name]
    if file not in (None, Path.cwd() / FILE_NAME):
        options += ["--config", str(file)]
    if patience.factor != 1:
        options += ["--patience", f"{patience.factor:g}"]
    if any(name.startswith("fuzz.") for name in names):
        options += ["--seed", str(parts.part(FuzzOptions).seed)]
    if budget.file is not None and requirement_id.startswith("budget."):
        options += ["--budget", str(budget.file)]
    return shlex.join(["animus-conformance", "run", *options, "--", *parts.part(Launcher).command])


def _as_expected(outcome: CheckOutcome, settings: SuiteSettings, today: date) -> CheckOutcome:
    """A failure that `conformance.toml` expects is one of its own kind; an expectation that is stale fails."""
    expected = settings.expected_failures.get(outcome.id)
    if expected is None:
        return outcome
    if outcome.verdict is CheckVerdict.PASS:
        # A list of known failures that is never shortened would hide the same failure when it comes back.
        return replace(outcome, verdict=CheckVerdict.FAIL, reason="it passes: take it out of expected_failures")
    if outcome.verdict is not CheckVerdict.FAIL:
        return outcome  # an unproven check has not failed as expected: the reason that was written down is another one
    if today > expected.expires:
        return replace(outcome, reason=f"{outcome.reason} (was expected until {expected.expires}: {expected.reason})")
    return replace(
        outcome, verdict=CheckVerdict.EXPECTED_FAILURE, reason=f"{expected.reason} (until {expected.expires})"
    )
