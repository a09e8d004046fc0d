"""The command `animus-conformance`: run, list, explain.

Below it lie the run and the reports. Exit codes: 0 the level is reached, 1 it is not, 2 the command could not be
carried out, 128 and the signal's number when a signal ended it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from animus_conformance.arguments import parse
from animus_conformance.budget.limits import Budget, read_budget
from animus_conformance.checks.registry import Check, checks, checks_for
from animus_conformance.command import command_from
from animus_conformance.errors import ConformanceError, UsageMistake
from animus_conformance.explain import check_named, described, explanation, listing, of_kind
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.interruption import unless_interrupted
from animus_conformance.judgement import Report
from animus_conformance.kinds import KINDS, Kind, kind_named
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.profiles import PROFILES
from animus_conformance.report.files import FORMATS, require_writable, write_reports
from animus_conformance.report.terminal import Terminal
from animus_conformance.report.text import printable
from animus_conformance.run import run
from animus_conformance.settings import settings_for
from animus_conformance.startable import require_startable
from animus_conformance.target.claims import Claims
from animus_conformance.target.manifest_probe import ManifestProbe
from animus_conformance.verdict import CheckVerdict, Level, Unproven

__all__ = ["main"]

_DEFAULT_LEVEL: Final = Level.L3
_SIGNAL_EXIT: Final = 128
_NOBODY_READS: Final = _SIGNAL_EXIT + signal.SIGPIPE
_SHOWN_CHARS: Final = 500


def main() -> NoReturn:
    """The console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a plugin's texts fit into no encoding for certain
    try:
        code = _command(sys.argv[1:])
        # Now, while an error of the last write still gets an exit code of ours.
        sys.stdout.flush()
    except ConformanceError as error:
        sys.stderr.write(printable(f"animus-conformance: {error}\n"))
        code = 2
    except BrokenPipeError:
        _discard_output()
        code = _NOBODY_READS
    except OSError as error:  # a full disk, as a rule
        sys.stderr.write(f"animus-conformance: {error}\n")
        _discard_output()
        code = 2
    except KeyboardInterrupt:
        code = _SIGNAL_EXIT + signal.SIGINT
    sys.exit(code)


def _discard_output() -> None:
    """Let the last flush find somebody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command(arguments: Sequence[str]) -> int:
    options, plugin = parse(arguments)
    match options.command:
        case "explain":
            found = check_named(options.id)
            _say(json.dumps(described(found), indent=2, ensure_ascii=False) if options.json else explanation(found))
        case "list":
            rows = of_kind(options.kind)
            as_json = [described(row) for row in rows]
            _say(json.dumps(as_json, indent=2, ensure_ascii=False) if options.json else listing(rows))
        case _:
            code = asyncio.run(unless_interrupted(_run(options, plugin)))
            if code > _SIGNAL_EXIT:
                sys.stderr.write("animus-conformance: interrupted; its processes are ended\n")
            return code
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


async def _run(options: argparse.Namespace, command: Sequence[str]) -> int:
    settings = settings_for(options.config, Path.cwd())
    level = Level(options.level) if options.level else settings.level or _DEFAULT_LEVEL
    named = [check_named(requirement_id) for requirement_id in options.only]
    reports = {name: path for name in FORMATS if (path := getattr(options, name)) is not None}
    # A run takes minutes: that its report cannot be written is told before it.
    require_writable(reports)
    absolute = command_from(command, Path.cwd())
    require_startable(absolute)
    kind = kind_named(options.kind or settings.kind or "")
    run_options = RunOptions(
        absolute,
        kind,
        settings,
        profile=PROFILES[options.profile],
        patience=options.patience,
        fuzzing=FuzzOptions(secrets.randbelow(2**32) if options.seed is None else options.seed),
        budget=Budget() if options.budget is None else read_budget(options.budget),
    )
    terminal = Terminal(sys.stdout, quiet=options.quiet, strict=options.strict)
    try:
        async with _opened(run_options) as parts:
            if kind is None:
                _require_a_kind(run_options, parts.part(ManifestProbe))
            chosen = _chosen(parts.part(Kind), level, named)
            who = _who(parts.part(Claims).manifest, run_options.command[0], parts.part(Kind))
            how = f"host {run_options.profile.name}, seed {run_options.fuzzing.seed}"
            terminal.begin(who, how, len(chosen))
            report = await run(
                parts,
                chosen,
                terminal.outcome,
                on_begin=lambda check: terminal.running(check.requirement),
                strict=options.strict,
            )
    finally:
        terminal.clear()
    terminal.end(report)
    write_reports(report, reports)
    return 0 if _passed(report, level, named) else 1


@contextlib.asynccontextmanager
async def _opened(options: RunOptions) -> AsyncIterator[Parts]:
    """The parts of the run. A plugin that cannot be started at all was named wrongly: raises UsageMistake."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            parts = await stack.enter_async_context(Parts.opened(options))
        except Unproven as unproven:
            raise UsageMistake(str(unproven)) from unproven
        yield parts


def _require_a_kind(options: RunOptions, probe: ManifestProbe) -> None:
    """Raises UsageMistake for a manifest that does not say what the plugin is, where nobody else does."""
    if probe.manifest.get("plugin_kind"):
        return
    name_it = f"name its kind: --kind {'|'.join(KINDS)}"
    asked = f"{options.command[0]} --manifest"
    if probe.manifest:
        raise UsageMistake(f"{asked} does not say of which kind it is; {name_it}")
    printed = probe.output.decode(errors="replace").strip()[:_SHOWN_CHARS]
    said = probe.stderr.decode(errors="replace").strip()[-_SHOWN_CHARS:]
    code = probe.exit_code
    ended = f"did not end within {options.patience.manifest_s:g} s" if code is None else f"ended with {code}"
    raise UsageMistake(
        f"{asked} printed no single JSON object and {ended}; fix that first, or {name_it}"
        + (f"\nOn standard output it printed:\n{printed}" if printed else "")
        + (f"\nOn standard error it said:\n{said}" if said else "")
    )


def _who(manifest: Mapping[str, Any], program: str, kind: Kind) -> str:
    return f"{manifest.get('name', program)} {manifest.get('version', '')} as {kind.name}"


def _chosen(kind: Kind, level: Level, named: Sequence[Check]) -> list[Check]:
    if not named:
        return checks_for(kind, level)
    for check in named:
        requirement = check.requirement
        if not requirement.concerns(kind.name):
            kinds = ", ".join(requirement.kinds)
            raise UsageMistake(f"{requirement.id} concerns {kinds}, and this plugin is judged as {kind.name}")
    return [check for check in checks().values() if check in named]


def _passed(report: Report, level: Level, named: Sequence[Check]) -> bool:
    """What was named has to pass, whatever its strength; else the level decides."""
    if named:
        return all(outcome.verdict not in (CheckVerdict.FAIL, CheckVerdict.UNPROVEN) for outcome in report.outcomes)
    return report.reached(level)
