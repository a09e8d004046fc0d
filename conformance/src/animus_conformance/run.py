"""A run: the checks in their order, each with its verdict, and what that makes of the levels.

Called by the CLI, the pytest plugin and the zoo; below it lie the checks and the plugin under test.
"""

from __future__ import annotations

import asyncio
import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_conformance.checks.registry import Check, checks_for
from animus_conformance.harmless import harmless_params
from animus_conformance.kinds import restriction
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.profiles import DEFAULT_PROFILE
from animus_conformance.settings import FILE_NAME
from animus_conformance.verdict import (
    Failed,
    Level,
    NotAdvertised,
    Outcome,
    Strength,
    Unproven,
    Verdict,
    VerdictReached,
)
from animus_conformance.wire.host import REFUSALS

__all__ = ["Report", "deciding", "levels_of", "run", "run_check"]

_STDERR_LINES: Final = 20


@dataclass(frozen=True)
class Report:
    """What came out of a run. `levels` holds pass, fail or unproven for each level that was judged.

    `complete` says that every check of the kind was carried out, up to the deepest level that any was chosen of.
    """

    plugin: Mapping[str, Any]
    kind: str
    command: Sequence[str]
    profile: str
    seed: int
    levels: Mapping[Level, Verdict]
    outcomes: Sequence[Outcome]
    strict: bool = False
    complete: bool = True

    @property
    def highest(self) -> Level | None:
        """The level that is reached: it and all before it passed. None when there is none, or not all was judged."""
        if not self.complete:
            return None
        return max((level for level in self.levels if self.reached(level)), default=None)

    @property
    def restriction(self) -> str:
        """To what the judgement is restricted, where the suite does not know the plugin's kind; else empty."""
        return restriction(self.kind, self.plugin.get("plugin_kind"))

    def decides(self, outcome: Outcome) -> bool:
        """Whether this outcome counts for its level, or is advice."""
        return outcome.strength in deciding(self.strict)

    def reached(self, level: Level) -> bool:
        """Whether this level and all before it passed."""
        return all(verdict is Verdict.PASS for name, verdict in self.levels.items() if name <= level)


async def run(
    plugin: PluginUnderTest,
    chosen: Sequence[Check],
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    *,
    on_begin: Callable[[Check], None] = lambda _: None,
    strict: bool = False,
) -> Report:
    """Carry out the checks one after the other; `on_begin` and `on_outcome` are told of each at once.

    With `strict` a SHOULD decides about its level like a MUST.
    """
    outcomes: list[Outcome] = []
    for one in chosen:
        on_begin(one)
        outcomes.append(await run_check(plugin, one))
        on_outcome(outcomes[-1])
    return Report(
        plugin={key: plugin.manifest.get(key) for key in ("name", "version", "plugin_kind", "protocol_version")},
        kind=plugin.kind.name,
        command=plugin.command,
        profile=plugin.profile.name,
        seed=plugin.seed,
        levels=levels_of(outcomes, strict=strict),
        outcomes=outcomes,
        strict=strict,
        complete=_is_complete(plugin, chosen),
    )


def _is_complete(plugin: PluginUnderTest, chosen: Sequence[Check]) -> bool:
    deepest = max((one.requirement.level for one in chosen), default=Level.L0)
    names = {one.requirement.id for one in chosen}
    return all(one.requirement.id in names for one in checks_for(plugin.kind, deepest))


def levels_of(outcomes: Iterable[Outcome], *, strict: bool = False) -> dict[Level, Verdict]:
    """What the outcomes make of each level: only a MUST decides, and a fail weighs more than something unproven."""
    levels: dict[Level, Verdict] = {}
    for outcome in outcomes:
        levels.setdefault(outcome.level, Verdict.PASS)
        if outcome.strength not in deciding(strict) or levels[outcome.level] is Verdict.FAIL:
            continue
        if outcome.verdict in (Verdict.FAIL, Verdict.UNPROVEN):
            levels[outcome.level] = outcome.verdict
    return dict(sorted(levels.items()))


def deciding(strict: bool) -> frozenset[Strength]:
    """The strengths that count for a level."""
    return frozenset({Strength.MUST, Strength.SHOULD} if strict else {Strength.MUST})


async def run_check(plugin: PluginUnderTest, one: Check, today: date | None = None) -> Outcome:
    """Carry out one check; nothing that it raises gets further than its outcome."""
    plugin.used = {}
    plugin.observed.violations.during = one.requirement.id
    began = time.monotonic()
    verdict, reason, trouble = await _verdict(plugin, one)
    evidence = "" if verdict is Verdict.PASS else "\n".join(filter(None, (_evidence(plugin), trouble)))
    if verdict not in (Verdict.PASS, Verdict.NOT_ADVERTISED):
        plugin.give_up_rough()
    wanted = one.requirement
    outcome = Outcome(
        id=wanted.id,
        level=wanted.level,
        strength=wanted.strength,
        verdict=verdict,
        reason=reason,
        seconds=round(time.monotonic() - began, 3),
        evidence=evidence,
        reproduction=_reproduction(plugin, wanted.id),
    )
    return _as_expected(outcome, plugin, today or datetime.now(UTC).date())


class _Ended(NamedTuple):
    """How a check ended. `trouble` is a traceback where the suite itself failed."""

    verdict: Verdict
    reason: str = ""
    trouble: str = ""


async def _verdict(plugin: PluginUnderTest, one: Check) -> _Ended:
    try:
        async with asyncio.timeout(plugin.patience.check_s):
            if one.method is not None and not await _advertises(plugin, one.method):
                await _prove_refused(plugin, one.method)
            await one.function(plugin)
    except VerdictReached as reached:
        return _Ended(reached.verdict, str(reached))
    except TimeoutError:
        limit = f"{plugin.patience.check_s:g} s"
        return _Ended(
            Verdict.UNPROVEN, f"the check did not come to an end within {limit}; --patience 3 gives it more time"
        )
    except Exception as error:  # noqa: BLE001 - the boundary: a bug in one check must not end the run
        return _Ended(Verdict.UNPROVEN, f"the suite failed: {error!r}", traceback.format_exc())
    return _Ended(Verdict.PASS)


async def _advertises(plugin: PluginUnderTest, method: str) -> bool:
    await plugin.shared()  # the methods of `initialize` count too
    return method in plugin.advertised


async def _prove_refused(plugin: PluginUnderTest, method: str) -> None:
    """Raises NotAdvertised when the plugin refuses what it does not advertise, else Unproven."""
    host = await plugin.shared()
    try:
        reply = await host.ask(plugin.method(method), harmless_params(method))
    except Failed as failed:
        raise Unproven(f"{method} is not advertised, and {failed}") from None
    if reply.code in REFUSALS:
        raise NotAdvertised(f"{method} is refused with {reply.code}")
    raise Unproven(f"{method} is not advertised, and yet it answers with {reply}")


def _evidence(plugin: PluginUnderTest) -> str:
    parts = []
    for number, (host, began) in enumerate(plugin.used.items(), start=1):
        lines = host.transcript.since(began.lines)
        stderr = host.process.stderr_since(began.stderr_bytes).splitlines()[-_STDERR_LINES:]
        parts.append(
            "\n".join([f"process {number} (pid {host.process.pid})", *lines, *(f"stderr   {one}" for one in stderr)])
        )
    return "\n".join(parts)


def _reproduction(plugin: PluginUnderTest, requirement_id: str) -> str:
    """The command that comes to the same; what was seen during other checks needs those, too."""
    during = [one.during for one in plugin.observed.violations.of(requirement_id)]
    names = list(dict.fromkeys([*during, requirement_id]))
    options = ["--kind", plugin.kind.name]
    for name in names:
        options += ["--only", name]
    if plugin.profile != DEFAULT_PROFILE:
        options += ["--profile", plugin.profile.name]
    if plugin.settings.file not in (None, Path.cwd() / FILE_NAME):
        options += ["--config", str(plugin.settings.file)]
    if plugin.patience.factor != 1:
        options += ["--patience", f"{plugin.patience.factor:g}"]
    if any(name.startswith("fuzz.") for name in names):
        options += ["--seed", str(plugin.seed)]
    if plugin.budget.file is not None and requirement_id.startswith("budget."):
        options += ["--budget", str(plugin.budget.file)]
    return shlex.join(["animus-conformance", "run", *options, "--", *plugin.command])


def _as_expected(outcome: Outcome, plugin: PluginUnderTest, today: date) -> Outcome:
    """A failure that `conformance.toml` expects is one of its own kind; an expectation that is stale fails."""
    expected = plugin.settings.expected_failures.get(outcome.id)
    if expected is None:
        return outcome
    if outcome.verdict is Verdict.PASS:
        return replace(outcome, verdict=Verdict.FAIL, reason="it passes: take it out of expected_failures")
    if outcome.verdict is not Verdict.FAIL:
        return outcome
    if today > expected.expires:
        return replace(outcome, reason=f"{outcome.reason} (was expected until {expected.expires}: {expected.reason})")
    return replace(outcome, verdict=Verdict.EXPECTED_FAILURE, reason=f"{expected.reason} (until {expected.expires})")
