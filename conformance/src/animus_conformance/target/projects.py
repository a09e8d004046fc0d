"""Project folders for a plugin's processes, the environment there, and the settings' commands in them.

Below it lie the settings and the process group. A folder is used by one process unless a check says otherwise, so that
no check finds what another has left behind.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from animus_conformance.command import command_from
from animus_conformance.patience import Patience
from animus_conformance.settings import Stimulus, SuiteSettings
from animus_conformance.verdict import Unproven
from animus_conformance.wire.group import Launch, ProcessGroup

__all__ = ["Projects"]

_PASSED: Final = ("PATH", "USER", "SHELL", "TERM", "TMPDIR", "LANG", "LC_ALL", "TZ")
"""What a host passes on to a plugin; everything else stays away, secrets above all (protocol §2)."""
_OUTPUT_BYTES: Final = 500
"""How much of what a failed command has printed goes into a reason: its end, where the error stands."""


class Projects:
    """All folders of one run lie in one temporary folder, which `close` removes."""

    def __init__(self, settings: SuiteSettings, patience: Patience) -> None:
        self._settings = settings
        self._patience = patience
        self._folder = Path(tempfile.mkdtemp(prefix="animus-conformance-"))
        self._projects = 0
        self._stimuli = 0

    async def new(self) -> Path:
        """A new project folder: the settings' copy, after their setup command. Raises Unproven when that fails."""
        self._projects += 1
        folder = self._folder / f"project-{self._projects}"
        if self._settings.project is not None:
            # A link stays one: followed, it could copy whatever lies elsewhere, for each process.
            shutil.copytree(self._settings.project, folder, symlinks=True)
        else:
            folder.mkdir()
        (self._folder / f"home-{self._projects}").mkdir()
        if self._settings.setup:
            await self._command("setup", self._settings.setup, folder)
        return folder

    def environment(self, project: Path) -> dict[str, str]:
        """The whole environment of a plugin for `project`: short, as a host gives it, with a home of its own."""
        kept = {name: os.environ[name] for name in (*_PASSED, *self._settings.pass_names) if name in os.environ}
        home = str(project.parent / project.name.replace("project", "home"))
        # In this order: the settings may pass the suite's own HOME on, or name another one.
        return {"HOME": home, **kept, **self._settings.environment}

    async def stimulate(self, name: Stimulus, project: Path) -> None:
        """Make something happen outside. Raises Unproven where the settings say no way."""
        command = self._settings.stimulus.get(name)
        if command is None:
            raise Unproven(
                f"nothing makes it happen: name a command in conformance.toml, "
                f'[stimulus.{name}] command = ["touch", "file-{{n}}"]'
            )
        self._stimuli += 1
        numbered = [word.replace("{n}", str(self._stimuli)) for word in command]
        await self._command(f"stimulus.{name}", numbered, project)

    async def close(self) -> None:
        """Remove every folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _command(self, what: str, command: Sequence[str], project: Path) -> None:
        """Run one of the settings' commands in the project; what it leaves running ends with it. Raises Unproven."""
        arguments = command_from(command, self._settings.folder)
        launch = Launch(arguments, project, self.environment(project))
        # A file takes its output: a helper of it may hold a pipe open for longer than it runs itself.
        with tempfile.TemporaryFile(dir=self._folder) as output:
            try:
                group = await ProcessGroup.start(launch, stdin=DEVNULL, stdout=output, stderr=STDOUT)
            except OSError as error:
                why = f"{arguments[0]} cannot be started: {error.strerror}"
                raise Unproven(f"conformance.toml: {what}: {why}") from error
            try:
                ended = await group.exited(self._patience.start_s)
            finally:
                await group.end()
            if not ended:
                raise Unproven(f"conformance.toml: {what} did not end within {self._patience.start_s:g} s")
            if group.exit_code:
                output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT_BYTES))
                tail = output.read().decode(errors="replace")
                raise Unproven(f"conformance.toml: {what} ended with {group.exit_code}: {tail}")
