"""A repository whose trust is asked for, given and inspected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from animus_core.supply.trust.store import TrustStore
from animus_core.supply.trust.trust import Trust, grant, inspect, is_trusted


def write_below(root: Path, name: str, text: str = "text\n", mode: int = 0o644) -> Path:
    """A file in the folder `.animus` of a repository."""
    path = root / ".animus" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class Place:
    """A repository, a configuration directory beside it, and something outside of both."""

    def __init__(self, folder: Path) -> None:
        self.root, self.config, self.outside = folder / "project", folder / "config", folder / "outside"
        for path in (self.root / ".animus", self.config, self.outside):
            path.mkdir(parents=True)

    def write(self, name: str, text: str = "text\n", mode: int = 0o644) -> Path:
        return write_below(self.root, name, text, mode)

    def link(self, name: str, target: str | Path) -> Path:
        path = self.root / ".animus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def grant(self, **options: Any) -> Trust:
        return grant(self.config, self.root, **options)

    def inspect(self) -> Trust:
        return inspect(self.config, self.root)

    @property
    def trusted(self) -> bool:
        return is_trusted(self.config, self.root)

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [tuple(change) for change in self.inspect().changes]

    @property
    def stored(self) -> Path:
        return TrustStore(self.config, self.root).path
