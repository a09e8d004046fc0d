"""`conformance.toml`: what a plugin needs to be judged, and which failures are expected for how long.

Below it lie tomllib, the requirements and the methods of the protocol. Every mistake is named with its line and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, get_args

from animus_conformance import oracle
from animus_conformance.errors import BadSettings
from animus_conformance.kinds import KINDS
from animus_conformance.method_names import canonical
from animus_conformance.requirements.manifest import requirements
from animus_conformance.toml_lines import line_of
from animus_conformance.verdict import Level

__all__ = ["FILE_NAME", "ExpectedFailure", "Stimulus", "SuiteSettings", "read_settings", "settings_for"]

Stimulus = Literal["event", "subject"]
"""What may have to be made to happen outside: something that a trigger watches, a change in a subject backend."""

FILE_NAME: Final = "conformance.toml"
_KEYS: Final = frozenset(
    {"kind", "level", "environment", "project", "setup", "stimulus", "params", "expected_failures"}
)
_COMMAND_KEYS: Final = frozenset({"command"})
_EXPECTED_KEYS: Final = frozenset({"id", "reason", "expires"})
_SPECIAL_PARAMS: Final = (
    *("agent/run.cwd", "agent/run.long", "agent/run.tools"),
    *("transport/start.http", "transport/start.stream"),
)
"""Tables of `params` that single checks read, beside those of methods."""


@dataclass(frozen=True)
class ExpectedFailure:
    """A failure that is known: why, and until which day (that day included) it is accepted."""

    id: str
    reason: str
    expires: date


@dataclass(frozen=True)
class SuiteSettings:
    """What `file` says; without one, all of it is empty.

    `environment` is set for the plugin and the commands, `pass_names` are taken from the suite's own environment.
    `setup` runs once in each project folder before the plugin starts there, `stimulus` by name when something has to
    happen outside; both are argument lists, run in the project's folder, and nothing that they start outlives them.
    `params` are added to what the suite sends.
    """

    file: Path | None = None
    folder: Path = field(default_factory=Path.cwd)
    kind: str | None = None
    level: Level | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_names: Sequence[str] = ()
    project: Path | None = None
    setup: Sequence[str] = ()
    stimulus: Mapping[Stimulus, Sequence[str]] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expected_failures: Mapping[str, ExpectedFailure] = field(default_factory=dict)

    def params_for(self, method: str, **ours: Any) -> dict[str, Any]:
        """What to send: `ours`, over what the file gives for `method` (by its `subject/` name)."""
        # Ours last: a check depends on what it sends, whatever the file says.
        return {**self.params.get(canonical(method), {}), **ours}


def settings_for(path: Path | None, *folders: Path) -> SuiteSettings:
    """The settings in `path`; without one those of the first folder that has any. Raises BadSettings."""
    if path is not None:
        return read_settings(path)
    for folder in folders:
        if (folder / FILE_NAME).is_file():
            return read_settings(folder / FILE_NAME)
    return SuiteSettings()


def read_settings(path: Path) -> SuiteSettings:
    """The settings in `path`. Raises BadSettings."""
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path} is no TOML: {error}") from error
    return _Reader(path, text).settings(document)


class _Reader:
    """Reads one document. A place in it is a path of keys, as `line_of` takes it."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text_of_file = text

    def settings(self, document: Mapping[str, Any]) -> SuiteSettings:
        self._known_keys(document, _KEYS)
        kind = document.get("kind")
        if kind is not None and kind not in list(KINDS):
            raise self._wrong(("kind",), f"{kind!r} is none of {', '.join(KINDS)}")
        environment = dict(self._table(document, "environment"))
        # The one key of this table that is no variable.
        pass_names = self._texts(environment.pop("pass", []), "environment", "pass")
        return SuiteSettings(
            file=self._path.absolute(),
            folder=self._path.parent.absolute(),
            kind=kind,
            level=self._level(document.get("level")),
            environment={name: self._text(value, "environment", name) for name, value in environment.items()},
            pass_names=pass_names,
            project=self._project(document.get("project")),
            setup=self._command(document.get("setup"), "setup"),
            stimulus=self._stimuli(self._table(document, "stimulus")),
            params=self._params(self._table(document, "params")),
            expected_failures=self._expected(document.get("expected_failures", [])),
        )

    def _level(self, value: Any) -> Level | None:
        if value is None:
            return None
        if value not in list(Level):
            raise self._wrong(("level",), f"{value!r} is none of {', '.join(Level)}")
        return Level(value)

    def _project(self, value: Any) -> Path | None:
        if value is None:
            return None
        folder = self._path.parent.absolute() / self._text(value, "project")
        if not folder.is_dir():
            raise self._wrong(("project",), f"{folder} is not a folder")
        return folder

    def _stimuli(self, tables: Mapping[str, Any]) -> Mapping[Stimulus, Sequence[str]]:
        self._known_keys(tables, frozenset(get_args(Stimulus)), "stimulus")
        names: Sequence[Stimulus] = get_args(Stimulus)
        return {name: self._command(tables[name], "stimulus", name) for name in names if name in tables}

    def _command(self, table: Any, *where: str) -> Sequence[str]:
        if table is None:
            return ()
        command = table.get("command") if isinstance(table, Mapping) else None
        if not isinstance(command, list) or not command:
            raise self._wrong(where, 'expected command = ["program", "argument", …]')
        self._known_keys(table, _COMMAND_KEYS, *where)
        return self._texts(command, *where, "command")

    def _params(self, tables: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        for name in tables:
            if oracle.method_types(name) is None and name not in _SPECIAL_PARAMS:
                methods = [method for kind in KINDS.values() for method in kind.methods]
                near = get_close_matches(name, [*methods, *_SPECIAL_PARAMS], n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise self._wrong(("params", name), f"no method of the protocol has this name{hint}")
        return {name: dict(self._table(tables, name, "params")) for name in tables}

    def _expected(self, rows: Any) -> Mapping[str, ExpectedFailure]:
        found: dict[str, ExpectedFailure] = {}
        for place, row in enumerate(rows if isinstance(rows, list) else [None]):
            where = ("expected_failures", place)
            if not isinstance(row, Mapping):
                raise self._wrong(where, "expected a table [[expected_failures]]")
            self._known_keys(row, _EXPECTED_KEYS, *where)
            expires = row.get("expires")
            if not isinstance(expires, date):
                raise self._wrong((*where, "expires"), "expected a date as in expires = 2027-01-31")
            name = self._requirement(row.get("id"), *where, "id")
            if name in found:
                raise self._wrong((*where, "id"), f"{name} was named before")
            reason = self._text(row.get("reason"), *where, "reason")
            # A TOML date with a time is a date to Python, too, and cannot be compared with one that has none.
            found[name] = ExpectedFailure(name, reason, date(expires.year, expires.month, expires.day))
        return found

    def _requirement(self, value: Any, *where: str | int) -> str:
        name = self._text(value, *where)
        if name not in requirements():
            near = get_close_matches(name, requirements(), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "animus-conformance list shows all"
            raise self._wrong(where, f"no requirement has the id {name!r}; {hint}")
        return name

    def _known_keys(self, table: Mapping[str, Any], known: frozenset[str], *where: str | int) -> None:
        # A mistyped key that is passed over would have the plugin judged otherwise than its author thinks.
        for key in sorted(table.keys() - known):
            raise self._wrong((*where, key), f"unknown; known are {', '.join(sorted(known))}")

    def _table(self, document: Mapping[str, Any], key: str, *where: str) -> Mapping[str, Any]:
        value = document.get(key, {})
        if not isinstance(value, Mapping):
            raise self._wrong((*where, key), "expected a table")
        return value

    def _texts(self, value: Any, *where: str) -> Sequence[str]:
        if not isinstance(value, list):
            raise self._wrong(where, "expected a list of texts")
        return tuple(self._text(text, *where) for text in value)

    def _text(self, value: Any, *where: str | int) -> str:
        if not isinstance(value, str) or not value:
            raise self._wrong(where, f"expected a text, not {value!r}")
        return value

    def _wrong(self, where: Sequence[str | int], what: str) -> BadSettings:
        line = line_of(self._text_of_file, where)
        file = str(self._path) if line is None else f"{self._path}:{line}"
        return BadSettings(f"{file}: {_spelled(where)}: {what}")


def _spelled(where: Sequence[str | int]) -> str:
    """A path of keys for people: `setup.command`, `expected_failures number 1: id`."""
    text = ""
    for key in where:
        if isinstance(key, int):
            text += f" number {key + 1}: "
        else:
            text += f".{key}" if text and not text.endswith(" ") else key
    return text.removesuffix(": ")
