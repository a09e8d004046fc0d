"""The command `animus-conformance`: run, list, explain.

Started by its console script; below it lie the run and the reports. Exit codes: 0 the level is reached, 1 it is not, 2
the command could not be carried out.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from animus_conformance.budget.limits import Budget, read_budget
from animus_conformance.checks.registry import Check, checks, checks_for
from animus_conformance.command import command_from
from animus_conformance.errors import ConformanceError, UsageMistake
from animus_conformance.explain import explanation, listing
from animus_conformance.kinds import KINDS, kind_named
from animus_conformance.patience import Patience
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.profiles import DEFAULT_PROFILE, PROFILES
from animus_conformance.report.files import write_reports
from animus_conformance.report.terminal import Terminal
from animus_conformance.run import Report, run
from animus_conformance.settings import FILE_NAME, Settings, read_settings
from animus_conformance.verdict import Level, Unproven

__all__ = ["main"]

_DEFAULT_LEVEL: Final = Level.L3


def main() -> NoReturn:
    """The console script."""
    try:
        sys.exit(_command(sys.argv[1:]))
    except ConformanceError as error:
        sys.stderr.write(f"animus-conformance: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _command(arguments: Sequence[str]) -> int:
    own, plugin = _split(arguments)
    options = _parser().parse_args(own)
    if options.command == "explain":
        sys.stdout.write(explanation(options.id) + "\n")
        return 0
    if options.command == "list":
        sys.stdout.write(listing(options.kind) + "\n")
        return 0
    if not plugin:
        raise UsageMistake("name the plugin's command behind two dashes: animus-conformance run -- my-plugin")
    return asyncio.run(_run(options, plugin))


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return [*arguments], []
    at = arguments.index("--")
    return [*arguments[:at]], [*arguments[at + 1 :]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-conformance", description="Does a plugin keep the Animus protocol? In any language, with any SDK."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    judge = commands.add_parser(
        "run",
        help="judge a plugin",
        usage="animus-conformance run [OPTIONS] -- CMD [ARG ...]",
        description="Judge the plugin that CMD starts.",
    )
    judge.add_argument("--kind", choices=[*KINDS], help="what it is judged as; by default what its manifest says")
    judge.add_argument("--level", type=Level, choices=[*Level], help="how deep; by default L3")
    judge.add_argument("--only", action="append", default=[], metavar="ID", help="this check alone; may be repeated")
    judge.add_argument("--profile", choices=[*PROFILES], default=DEFAULT_PROFILE.name, help="the host that is played")
    judge.add_argument("--config", type=Path, metavar="FILE", help="by default conformance.toml, where there is one")
    judge.add_argument("--seed", type=int, help="of the fuzzing; by default a new one, which is printed")
    judge.add_argument("--patience", type=float, default=1.0, metavar="FACTOR", help="stretches every deadline")
    judge.add_argument("--budget", type=Path, metavar="FILE", help="the limits of L4, as ratios to a reference plugin")
    judge.add_argument("--strict", action="store_true", help="a SHOULD counts like a MUST")
    judge.add_argument("--quiet", action="store_true", help="say the result only")
    for name, what in (("json", "JSON"), ("junit", "JUnit XML"), ("html", "an HTML page"), ("badge", "an SVG badge")):
        judge.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write the report as {what}")
    explain = commands.add_parser("explain", help="say what a requirement asks, and how it is checked")
    explain.add_argument("id", metavar="ID")
    tell = commands.add_parser("list", help="list the requirements")
    tell.add_argument("--kind", choices=[*KINDS])
    return parser


async def _run(options: argparse.Namespace, command: Sequence[str]) -> int:
    settings = _settings(options.config)
    level: Level = options.level or settings.level or _DEFAULT_LEVEL
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    plugin = PluginUnderTest(
        command_from(command, Path.cwd()),
        kind_named(options.kind or settings.kind or ""),
        settings,
        profile=PROFILES[options.profile],
        patience=Patience().times(options.patience),
        seed=seed,
        budget=Budget() if options.budget is None else read_budget(options.budget),
    )
    try:
        await _look(plugin, kind_is_given=bool(options.kind or settings.kind))
        chosen = _chosen(plugin, level, options.only)
        terminal = Terminal(sys.stdout, quiet=options.quiet)
        terminal.begin(plugin, len(chosen))
        report = await run(plugin, chosen, terminal.outcome, strict=options.strict)
    finally:
        await plugin.close()
    write_reports(report, json=options.json, junit=options.junit, html=options.html, badge=options.badge)
    terminal.end(report)
    return 0 if _passed(report, level, options.only) else 1


def _settings(path: Path | None) -> Settings:
    if path is not None:
        return read_settings(path)
    default = Path(FILE_NAME)
    return read_settings(default) if default.is_file() else Settings()


async def _look(plugin: PluginUnderTest, *, kind_is_given: bool) -> None:
    try:
        await plugin.look()
    except Unproven as unproven:
        raise UsageMistake(str(unproven)) from unproven
    if not kind_is_given and not plugin.manifest.get("plugin_kind"):
        raise UsageMistake(
            f"{plugin.command[0]} --manifest does not say of which kind it is; name it: --kind {'|'.join(KINDS)}"
        )


def _chosen(plugin: PluginUnderTest, level: Level, only: Sequence[str]) -> list[Check]:
    for name in only:
        if name not in checks():
            raise UsageMistake(f"no check has the id {name!r}; animus-conformance list shows them")
    if only:
        return [one for name, one in checks().items() if name in only]
    return checks_for(plugin.kind, level)


def _passed(report: Report, level: Level, only: Sequence[str]) -> bool:
    return all(report.levels[one] == "pass" for one in report.levels) if only else report.reached(level)
