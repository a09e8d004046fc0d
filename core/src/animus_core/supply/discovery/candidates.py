"""Where plugins are looked for, and which of several of one name is taken: the first.

Below lie the registry, the lock, the folders and trust. Nothing is executed here, and nothing of a repository that is
not trusted is handed on. A broken entry still reserves its name, so that nobody else is used under it until it is
fixed; what an untrusted repository brings reserves nothing.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from animus_core.errors import InvalidInput, RetryLater
from animus_core.launch_options import LaunchOptions
from animus_core.supply.discovery.entry_points import installed_scripts
from animus_core.supply.discovery.folders import NotUsable, programs_in
from animus_core.supply.discovery.registry import Registry, read_registry
from animus_core.supply.lock.lockfile import LockEntry, Lockfile
from animus_core.supply.names import is_name
from animus_core.supply.trust.trust import is_trusted
from animus_core.terminal import escape_unprintable

__all__ = [
    "NOT_TRUSTED",
    "TRUST",
    "Candidate",
    "Candidates",
    "FindScripts",
    "ProbeFailure",
    "find_candidates",
    "hiding",
    "locked_candidate",
]

NOT_TRUSTED: Final = "comes with this repository and is not trusted"
TRUST: Final = "animus trust"
_MOST_UNTRUSTED: Final = 50  # a repository decides how many names there are, and each is a line for people


class Candidate(NamedTuple):
    """Something that may be a plugin: what to run, where it was found, what the operator gives it.

    `source`: project, registry, installed, development, folder, plugin-path, environment, system-path. `locked` is its
    entry in plugins.lock. `cwd` is where relative parts of its command are looked up and where it is probed; None is /.
    """

    name: str
    command: tuple[str, ...]
    source: str
    options: LaunchOptions = LaunchOptions()
    locked: LockEntry | None = None
    cwd: str | None = None


class ProbeFailure(NamedTuple):
    """Why a candidate is not used, and what to do. It never stops the others.

    `is_plugin`: `name` is a plugin's; else it is that of a file, folder or variable, and `why` names it where needed.
    """

    name: str
    why: str
    fix: str = ""
    is_plugin: bool = True

    @property
    def message(self) -> str:
        """`why`, with the plugin's name before it."""
        return f"plugin {self.name}: {self.why}" if self.is_plugin else self.why


class Candidates(NamedTuple):
    """The `first` of each name, in order of precedence; what is not usable; and what each name hides further down."""

    first: tuple[Candidate, ...]
    failures: tuple[ProbeFailure, ...]
    hidden: Mapping[str, tuple[Candidate, ...]]


class _Broken(NamedTuple):
    """An entry that reserves its name and is not usable."""

    failure: ProbeFailure


_Entry = Candidate | _Broken
FindScripts = Callable[[], Sequence[tuple[str, str]]]
"""Finds name and program of each console script of an environment that says to be a plugin."""
_PYTHON: Final = re.compile(r"python(\d+(\.\d+)?)?")


def find_candidates(
    config_dir: Path,
    project_root: Path | None = None,
    *,
    search_path: bool = False,
    scripts: FindScripts = installed_scripts,
) -> Candidates:
    """Search everywhere; `scripts` finds those of this Python environment. Blocking.

    Raises InvalidInput for an operator's registry that cannot be read.
    """
    registry = read_registry(config_dir / "plugins.yaml")
    search = _Search(config_dir, registry, scripts)
    if project_root is not None:
        search.project(project_root)
    # What a person wrote goes before what was installed, and that before what merely lies somewhere.
    search.registry()
    search.installed()
    search.user_folder()
    search.plugin_path()
    search.environment()
    # On request only: anything in PATH that is called like a plugin would be executed to ask its name.
    if search_path or registry.include_system_path:
        search.system_path()
    return search.result()


class _Search:
    """The places in the order of precedence: the first entry of a name is kept, the others are noted as hidden."""

    def __init__(self, config_dir: Path, registry: Registry, scripts: FindScripts) -> None:
        self._config_dir = config_dir
        self._scripts = scripts
        self._registry = registry
        self._first: dict[str, _Entry] = {}
        self._hidden: dict[str, tuple[Candidate, ...]] = {}
        self._failures: list[ProbeFailure] = []

    def project(self, root: Path) -> None:
        """What comes with the repository: used when it is trusted, else named and nothing more."""
        registry_path, folder = root / ".animus" / "plugins.yaml", root / ".animus" / "plugins"
        if not os.path.lexists(registry_path) and not os.path.lexists(folder):
            return
        # Asked before and after, because what is trusted is what was read in between.
        trusted = is_trusted(self._config_dir, root)
        found = self._project_entries(root, registry_path, folder)
        if trusted and is_trusted(self._config_dir, root):
            for name, entry in found:
                self._take(name, entry)
            return
        # Named and nothing more: a row of an untrusted repository must not hide the operator's own plugin.
        names = [name for name, _ in found]
        for name in names[:_MOST_UNTRUSTED]:
            self._failures.append(ProbeFailure(name, NOT_TRUSTED, TRUST))
        if len(names) > _MOST_UNTRUSTED:
            more = f"{len(names) - _MOST_UNTRUSTED} more plugins come with this repository and are not trusted"
            self._failures.append(ProbeFailure(".animus/plugins", more, TRUST, is_plugin=False))

    def registry(self) -> None:
        """The rows of the operator's registry that say what to run."""
        for row in self._registry.rows:
            if row.command is not None and imports_from_the_project(row.command):
                why = "its command makes Python import from the project's folder first"
                fix = f"plugins.{row.name}.binary in {self._config_dir / 'plugins.yaml'}: put -P before -m"
                self._take(row.name, _Broken(ProbeFailure(row.name, why, fix)))
            elif row.command is not None:
                self._take(row.name, Candidate(row.name, row.command, "registry", row.options))

    def installed(self) -> None:
        """What `plugins.lock` lists; nothing when it cannot be read."""
        try:
            entries = Lockfile.read(self._config_dir).entries
        # Fails closed: nothing installed is used, and the other places still are.
        except RetryLater as error:
            self._failures.append(ProbeFailure("plugins.lock", error.message, error.hint or "", is_plugin=False))
            return
        for name, entry in entries.items():
            self._take(name, locked_candidate(entry))

    def user_folder(self) -> None:
        """`plugins/` in the configuration directory, or what ANIMUS_PLUGIN_DIR names instead."""
        named = os.environ.get("ANIMUS_PLUGIN_DIR")
        if named:
            self._named_folder("ANIMUS_PLUGIN_DIR", named, "folder")
        else:
            self._folder(self._config_dir / "plugins", "folder")

    def plugin_path(self) -> None:
        """The folders of ANIMUS_PLUGIN_PATH."""
        for named in os.environ.get("ANIMUS_PLUGIN_PATH", "").split(os.pathsep):
            if named:
                self._named_folder("ANIMUS_PLUGIN_PATH", named, "plugin-path")

    def environment(self) -> None:
        """The entry points of this Python environment."""
        for name, program in self._scripts():
            if is_name(name):
                self._take(name, Candidate(name, (program,), "environment"))

    def system_path(self) -> None:
        """The folders of PATH."""
        for named in os.environ.get("PATH", "").split(os.pathsep):
            # An empty or relative part of PATH is the working directory, which may be a hostile repository.
            if os.path.isabs(named):
                self._folder(Path(named), "system-path")

    def result(self) -> Candidates:
        """Everything, with the operator's settings for plugins that are found elsewhere."""
        # At the end, when it is known which plugin has won the name that such a row gives settings to.
        given = {row.name: row.options for row in self._registry.rows if row.command is None}
        candidates, failures = [], list(self._failures)
        for entry in self._first.values():
            if isinstance(entry, Candidate):
                candidates.append(_with_options(entry, given.get(entry.name)))
            else:
                failures.append(hiding(entry.failure, self._hidden.get(entry.failure.name, ())))
        known = {*self._first, *(failure.name for failure in failures)}
        for name in given.keys() - known:
            why = "plugins.yaml has settings for it, and no plugin of this name was found"
            fix = f"animus plugin install SOURCE, or take its row out of {self._config_dir / 'plugins.yaml'}"
            failures.append(ProbeFailure(name, why, fix))
        return Candidates(tuple(candidates), tuple(failures), self._hidden)

    def _project_entries(self, root: Path, registry_path: Path, folder: Path) -> list[tuple[str, _Entry]]:
        found: dict[str, _Entry] = {}
        try:
            for row in read_registry(registry_path, project_root=root).rows:
                found[row.name] = Candidate(row.name, row.command or (), "project", cwd=str(root))
        except InvalidInput as error:
            self._failures.append(
                ProbeFailure(".animus/plugins.yaml", error.message, error.hint or "", is_plugin=False)
            )
        for name, entry in self._entries_of(folder, "project", str(root)):
            # The registry of the project goes before its folder, as the operator's goes before theirs.
            found.setdefault(name, entry)
        return list(found.items())

    def _named_folder(self, variable: str, named: str, source: str) -> None:
        path = Path(named)
        if not path.is_absolute() or not path.is_dir():
            why = "is not a folder" if path.is_absolute() else "is not absolute and means another place in each folder"
            fix = f"Set {variable} to folders that exist, by absolute paths."
            self._failures.append(ProbeFailure(variable, f"{variable}: {named!r} {why}", fix, is_plugin=False))
            return
        self._folder(path, source)

    def _folder(self, folder: Path, source: str) -> None:
        for name, entry in self._entries_of(folder, source, None):
            self._take(name, entry)

    def _entries_of(self, folder: Path, source: str, cwd: str | None) -> Iterator[tuple[str, _Entry]]:
        try:
            for name, program in programs_in(folder):
                if isinstance(program, NotUsable):
                    yield name, _Broken(ProbeFailure(name, f"{folder / name}: {program.why}", program.fix))
                else:
                    yield name, Candidate(name, (program,), source, cwd=cwd)
        except RetryLater as error:
            self._failures.append(ProbeFailure(folder.name, error.message, error.hint or "", is_plugin=False))

    def _take(self, name: str, entry: _Entry) -> None:
        if name not in self._first:
            self._first[name] = entry
        # What is broken hides nothing that could be used, so only usable ones are noted as hidden.
        elif isinstance(entry, Candidate):
            self._hidden[name] = (*self._hidden.get(name, ()), entry)


def imports_from_the_project(command: Sequence[str]) -> bool:
    """Whether this is Python with `-m` or `-c`, which puts the working directory first on its module path.

    A plugin works in the project's root, and what lies there may be anybody's. With a script, the script's own folder
    is first; `-P` (Python 3.11) and `-I` leave the working directory out.
    """
    if _PYTHON.fullmatch(Path(command[0]).name) is None:
        return False
    options = iter(command[1:])
    for option in options:
        if not option.startswith("-"):
            return False
        # They take their value from the next word, which must not be read as an option.
        if option in ("-X", "-W"):
            next(options, None)
        elif option.startswith(("-m", "-c")):
            return True
        elif not option.startswith("--") and {"P", "I"} & set(option):
            return False
    return False


def hiding(failure: ProbeFailure, hidden: tuple[Candidate, ...]) -> ProbeFailure:
    """`failure`, saying which other plugin is not used because of it."""
    if not hidden:
        return failure
    other = f"{escape_unprintable(shlex.join(hidden[0].command))} ({hidden[0].source})"
    return failure._replace(why=f"{failure.why}; it hides {other} of the same name")


def locked_candidate(entry: LockEntry, given: LaunchOptions | None = None) -> Candidate:
    """What an entry of plugins.lock stands for, with the settings that the operator gave."""
    # What an installed plugin would write beside its own code would be a change of what was installed.
    options = (
        LaunchOptions() if entry.development else LaunchOptions(MappingProxyType({"PYTHONDONTWRITEBYTECODE": "1"}))
    )
    source = "development" if entry.development else "installed"
    return _with_options(Candidate(entry.name, entry.command, source, options, entry), given)


def _with_options(candidate: Candidate, given: LaunchOptions | None) -> Candidate:
    if given is None:
        return candidate
    # The operator's value wins, over ours as well.
    env = {**candidate.options.env, **given.env}
    return candidate._replace(options=given._replace(env=MappingProxyType(env)))
