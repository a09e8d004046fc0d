"""The suite judged: does each broken plugin fail exactly the check that it was made for, and no good one any?

`make zoo`, and `run_zoo.py [--json] [--quick] [--only NAME …] [--kind KIND]`. Every good plugin and the first mutant of
each requirement go through the whole suite, further mutants of the same requirement through the levels up to its own.
It counts requirements, not checks, so that a trivial check earns nothing. `--quick` takes the first mutants alone, up
to their own levels.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from mutation import MUTANTS, Mutant

from animus_conformance.budget.limits import Budget
from animus_conformance.checks.registry import Check, checks_for
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.judgement import Report
from animus_conformance.kinds import KINDS, Kind
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.patience import Patience
from animus_conformance.requirements.manifest import requirements
from animus_conformance.run import run
from animus_conformance.settings import SuiteSettings, read_settings
from animus_conformance.verdict import CheckVerdict, Level, Unproven

HERE: Final = Path(__file__).parent
AT_ONCE: Final = 6
"""Most of the time a run waits for deadlines, so that more than one a core pays off."""
SEED: Final = 1
"""Always the same, so that a mutant that is caught stays caught."""
EXAMPLES: Final = 50
FINE: Final = (CheckVerdict.PASS, CheckVerdict.NOT_ADVERTISED)
BUDGET: Final = Budget(start_up=8.0, latency=12.0, throughput=0.05, memory=15.0)
PATIENCE: Final = Patience(
    manifest_s=5.0, start_s=5.0, answer_s=2.0, event_s=2.0, silence_s=0.3, shutdown_s=2.0, exit_s=2.0, check_s=60.0
)
"""Short deadlines: a mutant that keeps silent is waited for in full, and the plugins behind answer in milliseconds."""


class Good(NamedTuple):
    """A plugin that keeps the protocol. `is_base` ones have no SDK below them and stand behind the mutants."""

    name: str
    kind: str
    command: Sequence[str]
    settings: SuiteSettings
    patience: Patience


class Judged(NamedTuple):
    """How one animal did: what failed, what stayed unproven, and whether that is as it should be."""

    name: str
    fine: bool
    failed: list[str]
    unproven: list[str]
    seconds: float


def good_plugins() -> dict[str, Good]:
    """What `good.toml` lists."""
    found = {}
    for row in tomllib.loads((HERE / "good.toml").read_text("utf-8"))["plugin"]:
        command = [
            one.format(python=sys.executable, bin=Path(sys.executable).parent, zoo=HERE) for one in row["command"]
        ]
        settings = read_settings(HERE / row["settings"]) if "settings" in row else SuiteSettings(folder=HERE)
        if row["name"] in found:
            sys.exit(f"good.toml: two plugins are named {row['name']}: name each once")
        patience = PATIENCE if row["name"] in KINDS else Patience()
        found[row["name"]] = Good(row["name"], row["kind"], command, settings, patience)
    return found


def mutants() -> list[Mutant]:
    """All of them, from the modules in `mutants/`."""
    for path in sorted((HERE / "mutants").glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"mutants.{path.stem}")
    return list(MUTANTS.values())


async def judge(name: str, good: Good, command: Sequence[str], wanted: str | None, *, whole: bool) -> Judged:
    """Run the suite over one plugin; `wanted` is the one requirement that has to fail, None for a good one."""
    began = time.monotonic()
    # A plugin that costs too much is slow: with short deadlines it would fail what comes before its costs.
    patience = Patience() if _is_costly(wanted) else good.patience
    kind = KINDS[good.kind]
    options = RunOptions(
        command, kind, good.settings, patience=patience, fuzzing=FuzzOptions(SEED, EXAMPLES), budget=BUDGET
    )
    try:
        async with Parts.opened(options) as parts:
            report = await run(parts, _checks(kind, wanted, whole=whole))
    except Unproven as trouble:
        return Judged(name, False, [], [str(trouble)], time.monotonic() - began)
    failed = [one.id for one in report.outcomes if one.verdict is CheckVerdict.FAIL]
    unproven = [one.id for one in report.outcomes if one.verdict is CheckVerdict.UNPROVEN]
    # A mutant that fails something else as well shows a check that looks at more than its own requirement.
    fine = failed == [wanted] if wanted else all(one.verdict in FINE for one in report.outcomes)
    if not fine:
        _explain(name, wanted, report)
    return Judged(name, fine, failed, unproven, time.monotonic() - began)


def _checks(kind: Kind, wanted: str | None, *, whole: bool) -> list[Check]:
    """Everything up to L3, or up to the wanted requirement's level.

    What costs too much is judged by L4 alone, where nothing else has to bear its slowness.
    """
    if _is_costly(wanted):
        return [one for one in checks_for(kind, Level.L4) if one.requirement.level is Level.L4]
    return checks_for(kind, Level.L3 if whole or wanted is None else requirements()[wanted].level)


def _is_costly(wanted: str | None) -> bool:
    return wanted is not None and requirements()[wanted].level is Level.L4


def _explain(name: str, wanted: str | None, report: Report) -> None:
    said = [f"{one.id}: {one.verdict}: {one.reason}" for one in report.outcomes if one.verdict not in FINE]
    expected = f"only {wanted} was to fail" if wanted else "nothing was to fail"
    sys.stderr.write("\n    ".join([f"{name}: {expected}", *said]) + "\n")


async def judge_all(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for, a few at once; the figures."""
    good = good_plugins()
    chosen = [one for one in mutants() if options.kind in (None, one.base)]
    plugins = [one for one in good.values() if options.kind in (None, one.kind)]
    if options.only:
        chosen = [one for one in chosen if one.name in options.only]
        plugins = [one for one in plugins if one.name in options.only]
    if options.quick:
        chosen = [one for one in chosen if one.name == one.requirement_id]
    room = asyncio.Semaphore(AT_ONCE)

    async def judged(name: str, base: Good, command: Sequence[str], wanted: str | None) -> Judged:
        async with room:
            result = await judge(name, base, command, wanted, whole=name == wanted and not options.quick)
        mark = "fine" if result.fine else "WRONG"
        sys.stderr.write(f"{mark:5} {result.seconds:6.1f} s  {name}\n")
        return result

    async with asyncio.TaskGroup() as group:
        good_tasks = [group.create_task(judged(one.name, one, one.command, None)) for one in plugins]
        mutant_tasks = [
            (
                one,
                group.create_task(judged(one.name, good[one.base], _command(one, good[one.base]), one.requirement_id)),
            )
            for one in chosen
        ]
    of_kind = [one.id for one in requirements().values() if options.kind is None or one.concerns(options.kind)]
    covered = {one.requirement_id for one, _ in mutant_tasks}
    missed = {one.requirement_id for one, task in mutant_tasks if not task.result().fine}
    return {
        "requirements": len(of_kind),
        "covered": len(covered & set(of_kind)),
        "caught": len((covered - missed) & set(of_kind)),
        "false_alarms": sum(not task.result().fine for task in good_tasks),
        "good_plugins": len(good_tasks),
    }


def _command(one: Mutant, good: Good) -> list[str]:
    module = one.mutation.__module__.rpartition(".")[2]
    return [sys.executable, "-S", str(HERE / "proxy.py"), one.name, module, "--", *good.command]


def main() -> None:
    """The command line; exit 0 when every requirement is covered and caught, and no good plugin fails anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--quick", action="store_true", help="the first mutant of each requirement, no deeper than it")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this mutant or good plugin alone")
    parser.add_argument("--kind", choices=[*KINDS], help="the animals of one kind alone")
    options = parser.parse_args()
    os.environ.setdefault("USER", "keeper")  # a mutant misses it, which not every machine has
    figures = asyncio.run(judge_all(options))
    open_ids = sorted(set(requirements()) - {one.requirement_id for one in MUTANTS.values()})
    if open_ids and not options.only and not options.kind:
        sys.stderr.write(f"without a mutant: {', '.join(open_ids)}\n")
    words = "{caught} of {requirements} requirements caught, {false_alarms} false alarms on {good_plugins} good plugins"
    sys.stdout.write((json.dumps(figures) if options.json else words.format(**figures)) + "\n")
    partial = bool(options.only or options.kind)
    whole = figures["caught"] == (figures["covered"] if partial else figures["requirements"])
    sys.exit(0 if whole and not figures["false_alarms"] else 1)


if __name__ == "__main__":
    main()
