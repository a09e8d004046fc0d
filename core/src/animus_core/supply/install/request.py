"""What somebody asks to be installed, and how they are spoken with meanwhile. Below lies `plugin_source.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from animus_core.errors import InvalidInput
from animus_core.supply.install.plugin_source import InstallSource, SourceKind, parse_source
from animus_core.supply.names import is_name

__all__ = ["Dialogue", "InstallRequest", "check_name"]


class InstallRequest(NamedTuple):
    """What to install. `name` overrides the name that the source gives; `development` leaves a folder in place."""

    source: InstallSource
    name: str | None = None
    development: bool = False

    @classmethod
    def parse(
        cls, text: str, cwd: Path, *, version: str | None = None, name: str | None = None, development: bool = False
    ) -> InstallRequest:
        """What `text` means to somebody who stands in `cwd`. Raises InvalidInput that says what it could have been."""
        source = parse_source(text, cwd)
        if version is not None:
            # A file or folder is the version that it is.
            if source.kind is not SourceKind.INDEX:
                raise InvalidInput(f"a version cannot be chosen of {source.text}", hint="Leave the version out.")
            source = parse_source(f"{source.text}=={version}", cwd)
        if development and source.kind is not SourceKind.FOLDER:
            hint = "Leave --dev out."
            raise InvalidInput(f"--dev is for a folder with pyproject.toml, not for {source.text}", hint=hint)
        if name is not None:
            check_name(name)
        return cls(source, name, development)


class Dialogue(NamedTuple):
    """The person or program that asked: `report` tells the steps, `confirm` asks before something that may surprise."""

    report: Callable[[str], None]
    confirm: Callable[[str], Awaitable[bool]]


def check_name(name: str) -> None:
    """Raise InvalidInput unless a plugin can be installed under `name`."""
    # A dot would hide its folder, and a dash would be read as an option where the name is typed.
    if not is_name(name) or name.startswith((".", "-")):
        raise InvalidInput(f"{name!r} cannot be the name of a plugin", hint="Give it another one with --name NAME.")
