"""Makes a virtual environment and lets pip install one thing into it, within bounds.

Below lie `python -m venv`, pip and the launcher that ties them to this process. pip sees the
operator's environment and configuration, which decide about indexes; what would move the installation elsewhere, or
change the interpreter, is left out.
"""

from __future__ import annotations

import asyncio
import os
import re
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import RetryLater
from animus_core.host.environment import COOKIE
from animus_core.host.output_tail import OutputTail
from animus_core.host.process import ChildSpec, spawn
from animus_core.supply.discovery.entry_points import GROUP
from animus_core.supply.distributions import UNPUBLISHED, how_to_install, unpublished_name
from animus_core.supply.install.plugin_source import InstallSource, SourceKind
from animus_core.supply.install.resolution import ResolvedDistribution, read_report
from animus_core.terminal import escape_unprintable

__all__ = ["EnvironmentBuilder", "PluginScript", "pip_environment", "pip_is_here", "pip_runner", "plugin_scripts"]

_OLDEST_PIP: Final = (22, 3)  # the first one with --python
# What `pip --python` starts, once it has imported all of pip and read its arguments: half of what it takes.
_RUNNER: Final = "pip/__pip-runner__.py"
_IN_RUNNER: Final = "_PIP_RUNNING_IN_SUBPROCESS"
_SHOWN_LINES: Final = 15
_LINE_CHARS: Final = 500
_GRACE_S: Final = 3.0  # after SIGTERM pip removes its temporary folders
# Options of pip as variables: each of them puts the files elsewhere, installs something else, or nothing at all.
_ELSEWHERE: Final = (
    "TARGET",
    "PREFIX",
    "ROOT",
    "USER",
    "PYTHON",
    "DRY_RUN",
    "EDITABLE",
    "REQUIREMENT",
    "DOWNLOAD",
    "REPORT",
)
_LIBRARIES: Final = ("purelib", "platlib")


class PluginScript(NamedTuple):
    """A console script of a virtual environment that says to be a plugin."""

    name: str
    program: Path
    distribution: str


def pip_environment(parent: Mapping[str, str], cookie: str, temporary: Path) -> dict[str, str]:
    """The operator's environment without what would move the installation or change the interpreter.

    Temporary files go to `temporary`; the cookie marks all that is started, so that it can be ended later.
    """
    # pip sets the first for its own `--python` child; inherited, it would make ours believe that it is one.
    ours = {_IN_RUNNER, *(f"PIP_{name}" for name in _ELSEWHERE)}
    kept = {name: value for name, value in parent.items() if not name.startswith("PYTHON") and name not in ours}
    return {**kept, COOKIE: cookie, "TMPDIR": str(temporary)}


def plugin_scripts(folder: Path) -> list[PluginScript]:
    """The scripts that entry points `animus.plugins` of the environment in `folder` name; nothing of it is run.

    Raises RetryLater for an entry point whose script is not there.
    """
    places = {sysconfig.get_path(name, "venv", {"base": str(folder), "platbase": str(folder)}) for name in _LIBRARIES}
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder), "platbase": str(folder)}))
    found: dict[str, PluginScript] = {}
    for distribution in distributions(path=sorted(places)):
        for point in distribution.entry_points:
            if point.group == GROUP:
                found[point.name] = PluginScript(point.name, scripts / point.name, distribution.name)
    for script in found.values():
        # An entry point's name comes out of a stranger's file: `../x` would name a program outside of the environment.
        if os.sep in script.name or not script.program.is_file():
            raise RetryLater(
                f"{script.distribution}: its entry point {script.name!r} ({GROUP}) has no script of that name",
                hint=f"Its author declares {script.name!r} under [project.scripts] as well.",
            )
    return sorted(found.values())


def pip_is_here(places: Sequence[str]) -> bool:
    """Whether one of these folders of packages has a pip that can install into another environment."""
    return _usable_pip(places) is not None


def pip_runner(places: Sequence[str]) -> Path | None:
    """The file of that pip which makes another Python run it, or None where it has none."""
    found = _usable_pip(places)
    runner = Path(str(found.locate_file(_RUNNER))) if found is not None else None
    return runner if runner is not None and runner.is_file() else None


def _usable_pip(places: Sequence[str]) -> Distribution | None:
    for distribution in distributions(name="pip", path=list(places)):
        version = re.match(r"(\d+)\.(\d+)", distribution.version)
        if version is not None and (int(version[1]), int(version[2])) >= _OLDEST_PIP:
            return distribution
    return None


class EnvironmentBuilder:
    """Runs Python's own tools for one environment; all of them together work for at most `timeout_s`.

    `temporary` is a folder for what they leave to be read.
    """

    def __init__(self, folder: Path, temporary: Path, env: Mapping[str, str], timeout_s: float) -> None:
        self._folder = folder
        self._temporary = temporary
        self._env = env
        self._timeout_s = timeout_s
        self._left_s = timeout_s
        self._with_pip = False

    async def make_environment(self) -> None:
        """A virtual environment without pip, or with its own where this Python has no usable one.

        Raises RetryLater.
        """
        # A pip of its own costs time for each environment, and its files would be hashed with the plugin's.
        self._with_pip = not pip_is_here(site.getsitepackages())
        options = [] if self._with_pip else ["--without-pip"]
        code, output = await self._run([sys.executable, "-I", "-m", "venv", *options, str(self._folder)])
        if code != 0:
            hint = (
                "Is there room, and is Python's venv module installed (Debian, Ubuntu: apt-get install python3-venv)?"
            )
            what = f"{self._folder}: the virtual environment could not be made"
            raise RetryLater(_format_failure(what, output), hint=hint)

    async def resolve(self, source: InstallSource) -> list[ResolvedDistribution]:
        """What pip would install for `source`; nothing is installed. Raises RetryLater."""
        return await self._pip_install(source, ["--dry-run", source.pip_argument])

    async def install(self, source: InstallSource, *, development: bool) -> list[ResolvedDistribution]:
        """Let pip install `source`; what it installed. Raises RetryLater with the end of what it said."""
        editable = ["--editable"] if development else []
        return await self._pip_install(source, [*editable, source.pip_argument])

    async def install_exactly(self, source: InstallSource, resolved: Sequence[ResolvedDistribution]) -> None:
        """Let pip install these files and no others: an index that has changed its mind meanwhile is refused.

        Raises RetryLater, and InvalidInput for what cannot be pinned.
        """
        requirements = self._temporary / "requirements.txt"
        lines = "".join(f"{distribution.pinned}\n" for distribution in resolved)
        await asyncio.to_thread(requirements.write_text, lines)
        # --no-deps: pip must not add what nobody was asked about; the list is whole.
        await self._pip_install(source, ["--no-deps", "--require-hashes", "--requirement", str(requirements)])

    async def _pip_install(self, source: InstallSource, arguments: Sequence[str]) -> list[ResolvedDistribution]:
        python = str(self._folder / "bin" / "python")
        pip, env = self._pip(python)
        report = self._temporary / "report.json"
        # --compile: what is compiled later would be a change of what was installed (docs/adr/0007).
        options = ["--no-input", "--disable-pip-version-check", "--no-user", "--compile", "--report", str(report)]
        # To learn what an sdist needs, pip runs code of it, and does so before anybody is asked. Names of ours that we
        # have not published are a stranger's in an index, which is searched beside every folder of wheels.
        options += ["--only-binary", ",".join(sorted(UNPUBLISHED))] if UNPUBLISHED else []
        code, output = await self._run([*pip, "install", *options, *arguments], env)
        if code != 0:
            raise RetryLater(
                _format_failure(f"pip could not install {source.text}", output), hint=_hint_after_pip(source)
            )
        return await asyncio.to_thread(read_report, report)

    def _pip(self, python: str) -> tuple[list[str], Mapping[str, str]]:
        """How pip is started for that Python, and with which variables."""
        if self._with_pip:
            return [python, "-I", "-m", "pip"], self._env
        runner = pip_runner(site.getsitepackages())
        if runner is None:
            return [sys.executable, "-I", "-m", "pip", "--python", python], self._env
        # With --python: a pip that no longer knows the variable starts itself once more, and is right again.
        return [python, "-I", str(runner), "--python", python], {**self._env, _IN_RUNNER: "1"}

    async def _run(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """The exit code and the end of the output. Raises RetryLater at the deadline; nothing is left running then."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        child = spawn(ChildSpec("pip", command, self._env if env is None else env, str(self._folder.parent)))
        os.close(child.write_fd)
        printed = OutputTail(child.read_fd, child.name, logged=False)
        try:
            async with asyncio.timeout(self._left_s):
                code = await child.wait()
        except TimeoutError as error:
            why = f"{command[-1]}: the installation did not end within {self._timeout_s:g} s"
            raise RetryLater(_format_failure(why, child.stderr_tail), hint="Nothing was changed. Try again.") from error
        finally:
            await asyncio.shield(asyncio.ensure_future(child.end(_GRACE_S)))
            printed.read_rest()
            printed.close()
            self._left_s -= loop.time() - began  # the time that a person takes to answer is not among it
        return code, f"{printed.text}\n{child.stderr_tail}".strip()


def _hint_after_pip(source: InstallSource) -> str:
    """What to do when pip could not install something."""
    name = unpublished_name(source.text) if source.kind is SourceKind.INDEX else None
    if name is not None:
        return f"Nothing was changed. {name} is not in an index yet. To install it: {how_to_install(name)}"
    hint = "Nothing was changed. pip's own options (PIP_INDEX_URL, PIP_FIND_LINKS, pip.conf) say where it looks."
    if source.kind is SourceKind.INDEX:
        hint += f" A file or folder is written with its path, and a slash in it: ./{source.text}"
    return hint


def _format_failure(what: str, output: str) -> str:
    lines = [escape_unprintable(line.rstrip()[:_LINE_CHARS]) for line in output.splitlines() if line.strip()][
        -_SHOWN_LINES:
    ]
    return "\n".join([what, *(f"  | {line}" for line in lines)])
