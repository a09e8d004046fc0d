"""`conformance.toml`: what a plugin needs to be judged, and which failures are expected for how long.

Read by the CLI and the pytest plugin; below it lies tomllib. Every mistake is named with its key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from animus_conformance.errors import BadSettings
from animus_conformance.kinds import KINDS
from animus_conformance.verdict import Level

__all__ = ["FILE_NAME", "ExpectedFailure", "Settings", "read_settings"]

FILE_NAME: Final = "conformance.toml"
_KEYS: Final = frozenset(
    {"kind", "level", "environment", "project", "setup", "stimulus", "params", "expected_failures"}
)


@dataclass(frozen=True)
class ExpectedFailure:
    """A failure that is known: why, and until which day (that day included) it is accepted."""

    id: str
    reason: str
    expires: date


@dataclass(frozen=True)
class Settings:
    """What the file says; without one, all of it is empty.

    `environment` is set for the plugin and the commands, `pass_names` are taken from the suite's own environment.
    `setup` runs once in each project folder before the plugin starts there, `stimulus` by name when something has to
    happen outside; both are argument lists, run in the project's folder. `params` are added to what the suite sends.
    """

    folder: Path = field(default_factory=Path.cwd)
    kind: str | None = None
    level: Level | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_names: Sequence[str] = ()
    project: Path | None = None
    setup: Sequence[str] = ()
    stimulus: Mapping[str, Sequence[str]] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expected_failures: Mapping[str, ExpectedFailure] = field(default_factory=dict)


def read_settings(path: Path) -> Settings:
    """The settings in `path`. Raises BadSettings."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    return _Reader(path).settings(document)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self, document: Mapping[str, Any]) -> Settings:
        for key in document.keys() - _KEYS:
            raise self._wrong(key, f"unknown; known are {', '.join(sorted(_KEYS))}")
        kind = document.get("kind")
        if kind is not None and kind not in KINDS:
            raise self._wrong("kind", f"{kind!r} is none of {', '.join(KINDS)}")
        environment = dict(self._table(document, "environment"))
        pass_names = self._texts(environment.pop("pass", []), "environment.pass")
        return Settings(
            folder=self._path.parent.absolute(),
            kind=kind,
            level=self._level(document.get("level")),
            environment={name: self._text(value, f"environment.{name}") for name, value in environment.items()},
            pass_names=pass_names,
            project=self._project(document.get("project")),
            setup=self._command(document.get("setup"), "setup"),
            stimulus={
                name: self._command(table, f"stimulus.{name}")
                for name, table in self._table(document, "stimulus").items()
            },
            params={name: dict(self._table(document["params"], name)) for name in self._table(document, "params")},
            expected_failures=self._expected(document.get("expected_failures", [])),
        )

    def _level(self, value: Any) -> Level | None:
        if value is None:
            return None
        if value not in list(Level):
            raise self._wrong("level", f"{value!r} is none of {', '.join(Level)}")
        return Level(value)

    def _project(self, value: Any) -> Path | None:
        if value is None:
            return None
        folder = self._path.parent.absolute() / self._text(value, "project")
        if not folder.is_dir():
            raise self._wrong("project", f"{folder} is no folder")
        return folder

    def _command(self, table: Any, where: str) -> Sequence[str]:
        if table is None:
            return ()
        command = table.get("command") if isinstance(table, Mapping) else None
        if not isinstance(command, list) or not command:
            raise self._wrong(where, 'expected command = ["program", "argument", …]')
        return self._texts(command, f"{where}.command")

    def _expected(self, rows: Any) -> Mapping[str, ExpectedFailure]:
        found: dict[str, ExpectedFailure] = {}
        for number, row in enumerate(rows if isinstance(rows, list) else [None], start=1):
            where = f"expected_failures number {number}"
            if not isinstance(row, Mapping):
                raise self._wrong(where, "expected a table [[expected_failures]]")
            expires = row.get("expires")
            if not isinstance(expires, date):
                raise self._wrong(where, "expires: expected a date as in expires = 2027-01-31")
            name = self._text(row.get("id"), f"{where}: id")
            reason = self._text(row.get("reason"), f"{where}: reason")
            found[name] = ExpectedFailure(name, reason, date(expires.year, expires.month, expires.day))
        return found

    def _table(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = document.get(key, {})
        if not isinstance(value, Mapping):
            raise self._wrong(key, "expected a table")
        return value

    def _texts(self, value: Any, where: str) -> Sequence[str]:
        if not isinstance(value, list):
            raise self._wrong(where, "expected a list of texts")
        return tuple(self._text(one, where) for one in value)

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._wrong(where, f"expected a text, not {value!r}")
        return value

    def _wrong(self, where: str, what: str) -> BadSettings:
        return BadSettings(f"{self._path}: {where}: {what}")
