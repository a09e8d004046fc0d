"""What the parsers of all commands are made of. It imports argparse alone, so that `animus --help` stays quick.

A `parser.py` beside the commands of each group registers them here. What a command does is imported when it runs: a
handler in a `parser.py` is a function that imports the command and calls it.
"""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # typing's own name for it would be a third of what `--help` imports
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, NoReturn

    from animus_core.cli.output import Output

    Handler = Callable[[argparse.Namespace, Output], int]
    """Does what a command line asks for; the exit code."""

__all__ = ["Group", "Misused", "Parser", "count", "seconds"]


_MOST_SECONDS = 2**32 - 1  # the type of seconds on the wire (protocol §5)
_COLUMNS = 80  # where nobody knows, as shutil says


class Misused(Exception):
    """The command line does not fit; `usage` says what would. `main` makes an InvalidInput of it.

    It is not one itself, because parsers load no more than argparse.
    """

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.message = message
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong, so that it is reported like every other error.

    Options are written out: what is short for one today may be short for two tomorrow.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": _HelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        """Raise `Misused`."""
        raise Misused(message, self.format_usage().rstrip())


class _HelpFormatter(argparse.HelpFormatter):
    """argparse makes one for each option, and would import shutil to learn how wide the terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_terminal_columns() - 2)  # argparse leaves two free, too


class Group:
    """A place for commands: the top of the tree, or a group in it. Every command has the options of `common`.

    A command line that ends at a group has its parser as `usage` in the parsed arguments, one that ends at a command
    has what does it as `handler`.

    What is not among `words` gets neither commands nor the common options: no command line of these words leads there,
    and to make all parsers takes longer than everything else that `--help` does. None: everything is made.
    """

    def __init__(self, parser: Parser, common: Parser, words: Collection[str] | None) -> None:
        parser.set_defaults(usage=parser)
        self._parsers = parser.add_subparsers(title="commands", metavar="COMMAND")
        self._common = common
        self._words = words

    def command(self, name: str, handler: Handler, text: str, *, light: bool = False) -> argparse.ArgumentParser:
        """Add a command; its parser, for its own options. `light`: it loads nothing that writes to a log."""
        parser = self._add(name, text)
        parser.set_defaults(handler=handler, light=light)
        return parser

    def group(self, name: str, text: str, register: Callable[[Group], None]) -> None:
        """Add a group below this one, whose commands `register` adds."""
        parser = self._add(name, text)
        if self._is_named(name):
            register(Group(parser, self._common, self._words))

    def _add(self, name: str, text: str) -> Parser:
        if not self._is_named(name):
            # It stands in the help of its group, and that is all.
            return self._parsers.add_parser(name, help=text, add_help=False)
        return self._parsers.add_parser(name, help=text, description=text, parents=[self._common])

    def _is_named(self, name: str) -> bool:
        # Any word of the line, also the value of an option: a parser too many costs time, one too few an error.
        return self._words is None or name in self._words


def _terminal_columns() -> int:
    """As `shutil.get_terminal_size` finds them."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]  # caught
        except (AttributeError, ValueError, OSError):
            columns = 0
    return columns or _COLUMNS


def seconds(text: str) -> int:
    """A whole number of seconds that the protocol can carry, 0 or more."""
    # By its length first: Python refuses to read a number of more than 4,300 digits.
    if not text.isdecimal() or len(text.lstrip("0")) > len(str(_MOST_SECONDS)) or int(text) > _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number of seconds, 0 to {_MOST_SECONDS}")
    return int(text)


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)
