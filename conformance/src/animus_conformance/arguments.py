"""The grammar of the command line: `run`, `list`, `explain` and their options.

Below it lies argparse.
"""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from animus_conformance.errors import UsageMistake
from animus_conformance.kinds import KINDS
from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE, PROFILES
from animus_conformance.report.files import FORMATS
from animus_conformance.verdict import Level
from animus_conformance.version import VERSION

__all__ = ["parse"]

_EXIT_CODES: Final = "exit codes: 0 the level is reached, 1 it is not, 2 the command could not be carried out"
_RUN_OPTIONS: Final = (
    *("--kind", "--level", "--only", "--profile", "--config"),
    *("--seed", "--patience", "--budget", "--strict", "--quiet"),
    *(f"--{name}" for name in FORMATS),
)
_FORMAT_WORDS: Final = {"json": "JSON", "junit": "JUnit XML", "html": "an HTML page", "badge": "an SVG badge"}


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options and the plugin's command behind `--`. Raises UsageMistake; argparse exits with 2."""
    own, plugin = _split(arguments)
    parser = _parser()
    options, unknown = parser.parse_known_args(own)
    if options.command != "run":
        unknown += plugin
    elif not plugin and not any(word.startswith("-") for word in unknown):
        named = shlex.join(unknown) or "my-plugin"
        raise UsageMistake(f"name the plugin's command behind two dashes: animus-conformance run -- {named}")
    if unknown:
        raise UsageMistake(
            f"{options.command}: unknown argument {shlex.join(unknown)}{_meant(unknown[0])}; "
            f"animus-conformance {options.command} --help lists what there is"
        )
    return options, plugin


def _meant(word: str) -> str:
    near = difflib.get_close_matches(word.partition("=")[0], _RUN_OPTIONS, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    # Cut off before argparse reads the rest, which would take the plugin's options for its own.
    if "--" not in arguments:
        return [*arguments], []
    at = arguments.index("--")
    return [*arguments[:at]], [*arguments[at + 1 :]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-conformance",
        description="Does a plugin keep the Animus protocol? In any language, with any SDK.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"animus-conformance {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    judge = commands.add_parser(
        "run",
        help="judge a plugin",
        usage="animus-conformance run [OPTIONS] -- CMD [ARG ...]",
        description="Judge the plugin that CMD starts.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    judge.add_argument("--kind", choices=[*KINDS], help="what it is judged as; by default what its manifest says")
    judge.add_argument("--level", choices=[level.value for level in Level], help="how deep; by default L3")
    judge.add_argument("--only", action="append", default=[], metavar="ID", help="this check alone; may be repeated")
    judge.add_argument("--profile", choices=[*PROFILES], default=DEFAULT_PROFILE.name, help="the host that is played")
    judge.add_argument("--config", type=Path, metavar="FILE", help="by default conformance.toml, where there is one")
    judge.add_argument("--seed", type=int, help="of the fuzzing; by default a new one, which is printed")
    judge.add_argument(
        "--patience", type=_patience, default=Patience(), metavar="FACTOR", help="stretches every deadline"
    )
    judge.add_argument("--budget", type=Path, metavar="FILE", help="the limits of L4, as ratios to a reference plugin")
    judge.add_argument("--strict", action="store_true", help="a SHOULD counts like a MUST")
    judge.add_argument("--quiet", action="store_true", help="say what needs attention, and the result")
    for name in FORMATS:
        judge.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write the report as {_FORMAT_WORDS[name]}")
    explain = commands.add_parser("explain", help="say what a requirement asks, and how it is checked")
    explain.add_argument("id", metavar="ID")
    listing = commands.add_parser("list", help="list the requirements")
    listing.add_argument("--kind", choices=[*KINDS], help="those that concern this kind")
    for command in (explain, listing):
        command.add_argument("--json", action="store_true", help="as JSON, with everything that is known")
    return parser


def _patience(factor: str) -> Patience:
    try:
        return Patience().times(float(factor))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {factor!r}") from error
