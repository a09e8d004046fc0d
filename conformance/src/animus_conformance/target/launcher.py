"""The plugin's command, and the ways in which the suite starts it: for its manifest, on a terminal, with a host.

Below it lie the project folders and the wire.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from animus_conformance.patience import Patience
from animus_conformance.profiles import Profile
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.manifest_probe import ManifestProbe, probe_manifest
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Unproven
from animus_conformance.wire.group import Launch
from animus_conformance.wire.host import Host
from animus_conformance.wire.observer import Observed
from animus_conformance.wire.process import PluginProcess
from animus_conformance.wire.terminal import run_on_terminal

__all__ = ["Launcher"]


class Launcher:
    """Starts processes. Every process gets a project folder and a home of its own unless a check names the folder."""

    def __init__(
        self,
        command: Sequence[str],
        projects: Projects,
        profile: Profile,
        patience: Patience,
        observed: Observed,
        conversations: Conversations,
    ) -> None:
        self.command = tuple(command)
        self.profile = profile
        self._projects = projects
        self._patience = patience
        self._observed = observed
        self._conversations = conversations

    async def probe_manifest(self) -> ManifestProbe:
        """What `--manifest` comes to, in a folder of its own. Raises Unproven when it cannot be started."""
        project = await self._projects.new()
        environment = self._projects.environment(project)
        return await probe_manifest(self.command, project, environment, self._patience.manifest_s)

    async def run_on_terminal(self, within_s: float) -> tuple[int | None, str]:
        """Exit code and stderr, with a terminal as standard input. Raises Unproven when it cannot be started."""
        project = await self._projects.new()
        return await run_on_terminal(self.command, project, self._projects.environment(project), within_s)

    @contextlib.asynccontextmanager
    async def spawned(
        self,
        *,
        project: Path | None = None,
        profile: Profile | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Host]:
        """A process that nobody has initialized; killed at the end of the block. Raises Unproven."""
        host = await self.spawn(project=project, profile=profile, environment=environment)
        try:
            yield host
        finally:
            await host.close()

    async def spawn(
        self,
        *,
        project: Path | None = None,
        profile: Profile | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Host:
        """A process that nobody has initialized, for the caller to close. Raises Unproven."""
        folder = project or await self._projects.new()
        whole = self._projects.environment(folder) if environment is None else dict(environment)
        try:
            process = await PluginProcess.start(Launch(self.command, folder, whole))
        except OSError as error:
            raise Unproven(f"{self.command[0]} cannot be started: {error.strerror}") from error
        host = Host(process, folder, profile or self.profile, self._patience, self._observed)
        self._conversations.note(host)  # at once: also one that never answers is evidence
        return host
