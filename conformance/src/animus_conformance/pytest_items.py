"""What stands behind the pytest door: the items, one a check, and the one event loop that they all run on.

Below it lie the run and its parts. Nothing is started before the first item runs, since collecting is not running.

What an outcome is to pytest: a pass passes; a failure that was expected is an xfail; what is not advertised is skipped,
with the refusal that proves it; a MUST that fails or stays unproven fails. A SHOULD or MAY that fails or stays unproven
is a ConformanceAdvice warning: shown in the summary, and a failure for whoever turns it into an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from animus_conformance.checks.registry import Check, checks_for
from animus_conformance.command import command_from
from animus_conformance.errors import ConformanceError, UsageMistake
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.judgement import deciding
from animus_conformance.kinds import KINDS, Kind
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.patience import Patience
from animus_conformance.report.text import printable
from animus_conformance.run import run_check
from animus_conformance.settings import SuiteSettings, settings_for
from animus_conformance.startable import require_startable
from animus_conformance.verdict import CheckOutcome, CheckVerdict, Level, Unproven

__all__ = ["ConformanceAdvice", "Door", "kind_in"]

_ROOT: Final = "animus"
_BEFORE_ID: Final = f"{_ROOT}::"
_SEED: Final = "animus_seed"
_ALIASES: Final = {"log": "log-storage"}
"""What kinds are called in the names of plugins, besides their own names."""


class ConformanceAdvice(UserWarning):
    """Something that a plugin should do, and does not."""


class _CheckDidNotPass(Exception):
    """The check behind an item failed or stayed unproven: pytest wants an exception, and `repr_failure` shows it."""

    def __init__(self, outcome: CheckOutcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Door:
    """The options as they were given, and the hooks. Raises pytest.UsageError for options that cannot be carried out.

    `config` must name a plugin.
    """

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        folder = config.invocation_params.dir
        try:
            words = shlex.split(option.animus_plugin)
            if not words:
                raise UsageMistake('--animus-plugin is empty; write --animus-plugin "my-plugin --its --arguments"')
            command = command_from(words, folder)
            require_startable(command)
            settings = settings_for(_path(option.animus_config, folder), folder, config.rootpath)
            kind = _kind(option.animus_kind, settings, command)
            self._chosen = checks_for(kind, _level(option.animus_level, settings))
            patience = Patience().times(option.animus_patience)
        except (ConformanceError, ValueError) as error:
            raise pytest.UsageError(f"animus: {error}") from error
        from_xdist: Mapping[str, Any] = getattr(config, "workerinput", {})  # see pytest_configure_node
        self._seed = from_xdist.get(_SEED, option.animus_seed)
        if self._seed is None:
            self._seed = secrets.randbelow(2**32)
        self._header = f"animus: {shlex.join(command)} as {kind.name}, seed {self._seed}"
        self._plugin = JudgedPlugin(
            RunOptions(command, kind, settings, patience=patience, fuzzing=FuzzOptions(self._seed))
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist, which reads the command line anew, which seed was chosen."""
        node.workerinput[_SEED] = self._seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """One worker of xdist carries out all checks, since some judge what was seen in all others."""
        if config.getoption("dist") != "load":
            return None  # another distribution was asked for; loadscope and loadfile keep them together, too
        # It is there, since it has called this hook.
        from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

        class ChecksTogether(LoadScopeScheduling):  # type: ignore[misc]  # hence Any
            """Tests of the user's own are spread one by one."""

            def _split_scope(self, nodeid: str) -> str:
                return _ROOT if nodeid.startswith(_BEFORE_ID) else nodeid

        return ChecksTogether(config, log)

    def pytest_report_header(self) -> str:
        """What is judged, as what, and how to make the same requests again."""
        return self._header

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Take the ids of checks out of the arguments, which pytest would look for as files."""
        arguments = session.config.args
        self._wanted = {
            argument.removeprefix(_BEFORE_ID) for argument in arguments if argument.startswith(_BEFORE_ID)
        } - {""}
        arguments[:] = [argument for argument in arguments if not argument.startswith(_BEFORE_ID)]
        unknown = self._wanted - {check.requirement.id for check in self._chosen}
        if unknown:
            raise pytest.UsageError(f"no check of this kind and level has the id {', '.join(sorted(unknown))}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the items, before anything selects among them."""
        chosen = [check for check in self._chosen if not self._wanted or check.requirement.id in self._wanted]
        node: Checks = Checks.from_parent(session, name=_ROOT, nodeid=_ROOT, chosen=chosen, plugin=self._plugin)
        items.extend(session.genitems(node))

    def pytest_sessionfinish(self) -> None:
        """End the plugin's processes and the loop."""
        self._plugin.close()


class JudgedPlugin:
    """The parts of the run and the loop that they live on, both made when the first check runs."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._runner: asyncio.Runner | None = None
        self._parts: Parts | None = None
        self._opened = contextlib.AsyncExitStack()

    def judge(self, check: Check) -> CheckOutcome:
        """Carry out one check. Raises Unproven when the plugin cannot be started at all."""
        if self._runner is None:
            # With a factory of its own it does not become the current loop of anybody else.
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        try:
            return self._runner.run(self._judged(check))
        except BaseException:
            self.close()  # whatever was interrupted is not to go on beside the next check
            raise

    def close(self) -> None:
        """End everything; the next check would begin anew."""
        runner, self._runner, self._parts = self._runner, None, None
        if runner is None:
            return
        with runner:
            runner.run(self._opened.aclose())

    async def _judged(self, check: Check) -> CheckOutcome:
        if self._parts is None:
            self._parts = await self._opened.enter_async_context(Parts.opened(self._options))
        return await run_check(self._parts, check)


class Checks(pytest.Collector):
    """The node above the items: `animus`."""

    def __init__(self, *, chosen: Sequence[Check], plugin: JudgedPlugin, **node: Any) -> None:
        super().__init__(**node)
        self._chosen = chosen
        self._plugin = plugin

    def collect(self) -> Iterator[CheckItem]:
        """One item a check."""
        for check in self._chosen:
            yield CheckItem.from_parent(self, name=check.requirement.id, check=check, plugin=self._plugin)


class CheckItem(pytest.Item):
    """One check; `-k` finds it by its id, its level and its strength."""

    def __init__(self, *, check: Check, plugin: JudgedPlugin, **node: Any) -> None:
        super().__init__(**node)
        self._check = check
        self._plugin = plugin
        wanted = check.requirement
        self.extra_keyword_matches.update({wanted.level.value, wanted.strength.value})
        self.user_properties += [("level", wanted.level.value), ("strength", wanted.strength.value)]

    def runtest(self) -> None:
        """Carry the check out, and say its end as pytest says it."""
        outcome = self._plugin.judge(self._check)
        if outcome.verdict is CheckVerdict.EXPECTED_FAILURE:
            pytest.xfail(outcome.reason)  # the settings expect this failure, with a reason and an expiry
        if outcome.verdict is CheckVerdict.NOT_ADVERTISED:
            pytest.skip(f"{outcome.id}: {printable(outcome.reason)}")  # with the proof of its refusal
        if outcome.verdict is CheckVerdict.PASS:
            return
        if outcome.strength in deciding(strict=False):
            raise _CheckDidNotPass(outcome)
        self.warn(ConformanceAdvice(f"{outcome.id} ({outcome.strength}): {printable(outcome.reason)}"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a reader needs, without a traceback of the suite."""
        error = excinfo.value
        if isinstance(error, _CheckDidNotPass):
            return printable(self._described(error.outcome))
        if isinstance(error, Unproven | ConformanceAdvice):
            return printable(str(error))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands in reports: under its id and level."""
        return self.path, 0, f"{self.name} ({self._check.requirement.level})"

    def _described(self, outcome: CheckOutcome) -> str:
        wanted = self._check.requirement
        parts = [
            f"{outcome.verdict}: {outcome.reason}",
            f"{wanted.section}: {wanted.text}",
            f"What to do: {wanted.fix}" if wanted.fix else "",
            outcome.evidence,
            f"again: {outcome.reproduction}",
        ]
        return "\n\n".join(part for part in parts if part)


def kind_in(command: Sequence[str]) -> str | None:
    """The kind in a name `animus-<kind>-…`, in any word of the command (`uv run animus-subject-files`)."""
    spelled = {**{name: name for name in KINDS}, **_ALIASES}
    for word in command:
        name = Path(word).name
        for spelling, kind in sorted(spelled.items(), key=lambda row: -len(row[0])):
            if name == f"animus-{spelling}" or name.startswith(f"animus-{spelling}-"):
                return kind
    return None


def _kind(option: str | None, settings: SuiteSettings, command: Sequence[str]) -> Kind:
    name = option or settings.kind or kind_in(command)
    if name is None:
        raise UsageMistake(
            f"of which kind it is stands in its manifest, and nothing is started while tests are collected; "
            f'write --animus-kind {"|".join(KINDS)}, or kind = "…" into conformance.toml'
        )
    if name not in KINDS:
        raise UsageMistake(f"--animus-kind: {name!r} is none of {', '.join(KINDS)}")
    return KINDS[name]


def _level(option: str | None, settings: SuiteSettings) -> Level:
    if option is None:
        return settings.level or Level.L3
    if option not in list(Level):
        raise UsageMistake(f"--animus-level: {option!r} is none of {', '.join(Level)}")
    return Level(option)


def _path(option: str | None, folder: Path) -> Path | None:
    return None if option is None else folder / option
