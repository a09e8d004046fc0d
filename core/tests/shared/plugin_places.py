"""The places where plugins are looked for, in a folder, with plugins in shell that note when they are executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from animus_core.launch_options import LaunchOptions
from animus_core.supply.discovery.candidates import Candidates, find_candidates
from animus_core.supply.discovery.discover import Discovery, discover
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import LockEntry, Lockfile
from animus_core.supply.trust import trust

MANIFEST = {
    "name": "p",
    "version": "1",
    "plugin_kind": "subject_backend",
    "description": "d",
    "protocol_version": "1.0.0",
}
X = "animus-plugin-x"
UNLOCKED = LaunchOptions({"PYTHONDONTWRITEBYTECODE": "1"})


class Places:
    """A configuration directory, a project, and folders beside; each plugin notes in `ran` that it was executed."""

    def __init__(self, root: Path) -> None:
        self.root, self.config, self.project, self.ran = root, root / "config", root / "project", root / "ran"
        for folder in (self.config, self.project):
            folder.mkdir()
        self.scripts: list[tuple[str, str]] = []

    def plugin(self, path: str, version: str = "1", code: str = "") -> Path:
        """An executable in shell."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        manifest = json.dumps({**MANIFEST, "version": version})
        file.write_text(f"#!/bin/sh\necho {path} >>{self.ran}\n{code}\necho '{manifest}'\n")
        file.chmod(0o755)
        return file

    def write(self, path: str, text: str) -> None:
        """A text file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def lock(self, program: Path, **changes: Any) -> LockEntry:
        """Note a program as installed."""
        now = fingerprint([str(program)])
        entry_fields = {
            "name": X,
            "version": "1",
            "plugin_kind": "custom",
            "source": "./x.whl",
            "command": [str(program)],
        }
        entry_fields |= {"digest": now.digest, "interpreter": now.interpreter, "installed_at": "2026-01-01T00:00:00Z"}
        entry = LockEntry.model_validate({**entry_fields, **changes})
        Lockfile.read(self.config).set(entry, now.files)
        return entry

    def trust(self) -> None:
        """Trust the project as it is."""
        trust.grant(self.config, self.project)

    def find(self, **options: Any) -> Candidates:
        """Every candidate."""
        return find_candidates(self.config, self.project, scripts=lambda: self.scripts, **options)

    async def discover(self, project: Path | None = None) -> Discovery:
        """Every plugin."""
        return await discover(self.config, project, scripts=lambda: self.scripts)

    @property
    def executed(self) -> list[str]:
        """Which plugins were executed, in order."""
        return self.ran.read_text().split() if self.ran.exists() else []


def messages(found: Any) -> dict[str, str]:
    """The warnings of a search or a discovery, without their plugin's name."""
    failures = found.failures if isinstance(found, Candidates) else found.warnings
    return {one.name: one.why for one in failures}
