"""Named SQL: the statements of `queries.sql`, and the handle through which alone they are run.

`Tx` is what a function gets from `Database.read`, `Database.write` and `ReadOnlyDatabase.read`; nobody writes SQL
anywhere else. Below it lies sqlite3.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib import resources
from typing import Any, Final

from animus_core.errors import Internal

__all__ = ["SqlValue", "Tx", "parse_statements", "statements"]

SqlValue = str | int | float | bytes | None
"""What a parameter may be."""

_HEADER: Final = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


@functools.cache
def statements() -> Mapping[str, str]:
    """The statements of `queries.sql` by name."""
    return parse_statements(resources.files(__package__).joinpath("queries.sql").read_text(encoding="utf-8"))


def parse_statements(text: str) -> dict[str, str]:
    """The statements of a file of `-- name: some_name` headers; raises Internal for a double or an empty one."""
    parts = _HEADER.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = body.strip().splitlines()
        while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("--")):
            lines.pop()  # the comment above the next header
        # The second one would silently take the place of the first, which its callers mean.
        if name in found:
            raise Internal(f"queries.sql: two statements are named {name!r}")
        if not lines:
            raise Internal(f"queries.sql: {name!r} has no statement")
        found[name] = "\n".join(lines)
    return found


class Tx:
    """Named statements inside one transaction; valid until the function that got it returns.

    The first argument is a name in `queries.sql`, keyword arguments are its `:parameters`. Errors are those of sqlite3,
    among them IntegrityError, which the function may handle and go on.
    """

    __slots__ = ("_connection", "_statements")

    def __init__(self, connection: sqlite3.Connection, named: Mapping[str, str]) -> None:
        self._connection = connection
        self._statements = named

    def execute(self, name: str, /, **parameters: SqlValue) -> int:
        """Run a statement; returns how many rows it changed."""
        with closing(self._run(name, parameters)) as cursor:
            cursor.fetchall()  # what RETURNING gives: the count is complete only after it
            return cursor.rowcount

    def one(self, name: str, /, **parameters: SqlValue) -> sqlite3.Row | None:
        """The first row, or None."""
        with closing(self._run(name, parameters)) as cursor:
            row: sqlite3.Row | None = cursor.fetchone()
            return row

    def all(self, name: str, /, **parameters: SqlValue) -> list[sqlite3.Row]:
        """Every row."""
        with closing(self._run(name, parameters)) as cursor:
            return cursor.fetchall()

    def scalar(self, name: str, /, **parameters: SqlValue) -> Any:
        """The first column of the first row, or None where there is no row."""
        row = self.one(name, **parameters)
        return None if row is None else row[0]

    def _run(self, name: str, parameters: Mapping[str, SqlValue]) -> sqlite3.Cursor:
        self._check_open(name)
        return self._connection.execute(self._statement(name), parameters)

    def _check_open(self, name: str) -> None:
        # After some errors SQLite rolls the whole transaction back by itself; what followed would commit on its own.
        if not self._connection.in_transaction:
            raise sqlite3.OperationalError(f"{name}: the transaction has ended")

    def _statement(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise Internal(f"no statement is named {name!r}", hint="Add it to queries.sql.") from None
