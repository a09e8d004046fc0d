"""How a command's end looks: for people, or as the `animus.cli.v1` envelope, and the exit code.

Nothing of the core lies below but its errors and `terminal.py`. Success goes to stdout, failure to stderr.
"""

from __future__ import annotations

import json
import os
import sys

from animus_core.terminal import escape_controls

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from animus_core.errors import AnimusError

__all__ = ["SCHEMA", "Output", "table"]

SCHEMA: Final = "animus.cli.v1"


class Output:
    """Where results go: `json_mode` decides which of the two forms is printed.

    Titles and messages are other people's: for people, nothing that their terminal would obey is printed.
    """

    def __init__(self, *, json_mode: bool) -> None:
        self.json_mode = json_mode

    def result(self, data: Any, human: str | Callable[[], str]) -> None:
        """A success: `data` in the envelope, or the text for people. Raises RetryLater where it cannot be printed."""
        if self.json_mode:
            text = _line({"schema": SCHEMA, "ok": True, "data": data})
        else:
            text = human if isinstance(human, str) else human()
            # Only for people: programs get the text as it is.
            text = escape_controls(text) + "\n" if text else ""
        _print(text)

    def failure(self, error: AnimusError) -> int:
        """A failure; the exit code to leave with. Where nobody can be told, the code is all that there is."""
        if self.json_mode:
            failure: dict[str, Any] = {"code": error.code, "message": error.message, "exit_code": error.exit_code}
            if error.hint is not None:
                failure["hint"] = error.hint
            if error.details is not None:
                failure["details"] = error.details
            text = _line({"schema": SCHEMA, "ok": False, "error": failure})
        else:
            text = escape_controls(f"animus: {error.message}\n")
            if error.hint:
                text += escape_controls(f"{error.hint}\n")
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
        return error.exit_code


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _print(text: str) -> None:
    """To standard output, at once: what cannot be written there is an error, and not a line of Python's at the end."""
    from animus_core.errors import RetryLater

    if sys.stdout is None:  # it was closed before this program began
        raise RetryLater("standard output is closed: the result cannot be printed", hint="What was asked for is done.")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would try to write what is left once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise RetryLater(
            f"the result cannot be printed: {error.strerror}", hint="What was asked for is done. Look at it again."
        ) from error


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; an empty table says so."""
    if not rows:
        return "nothing"
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
