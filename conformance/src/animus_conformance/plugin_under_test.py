"""The plugin that is judged: its command, what it says of itself, and processes of it on request.

Made by the CLI or the pytest plugin, handed to every check; below it lie the wire and the settings.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_conformance.budget.limits import Budget, Ratios
from animus_conformance.command import command_from
from animus_conformance.kinds import CUSTOM, Kind, kind_of_manifest
from animus_conformance.manifest_probe import ManifestProbe, probe_manifest
from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE, Profile
from animus_conformance.settings import Settings, Stimulus
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.version import VERSION
from animus_conformance.wire.group import Launch, ProcessGroup
from animus_conformance.wire.host import Host, Moment, Reply, canonical
from animus_conformance.wire.observer import Observed
from animus_conformance.wire.process import PluginProcess

__all__ = ["PluginUnderTest"]

_FLAGS: Final = ("$harness/", "$host/", "$vendor/", "$ui/")
_PASSED: Final = ("PATH", "USER", "SHELL", "TERM", "TMPDIR", "LANG", "LC_ALL", "TZ")
_OUTPUT_BYTES: Final = 500
_SUBJECT_KIND: Final = "subject_kind:"


class _Kept(NamedTuple):
    """A process that several checks use one after the other."""

    host: Host
    greeting: Reply


class PluginUnderTest:
    """One plugin in one run. Every process gets a project folder and a home of its own unless a check says otherwise.

    `kind` is what it is judged as: the one that was named, else the one of its manifest. `look` comes before all else.
    """

    def __init__(
        self,
        command: Sequence[str],
        kind: Kind | None,
        settings: Settings,
        *,
        profile: Profile = DEFAULT_PROFILE,
        patience: Patience = Patience(),  # noqa: B008 - immutable
        seed: int = 0,
        examples: int = 150,
        budget: Budget = Budget(),  # noqa: B008 - immutable
    ) -> None:
        self.command = tuple(command)
        self.kind = kind or CUSTOM
        self._kind_is_given = kind is not None
        self.settings = settings
        self.profile = profile
        self.patience = patience
        self.seed = seed
        self.examples = examples
        """How many requests the fuzzing makes up, from `seed`."""
        self.budget = budget
        self.ratios: Ratios | None = None
        """What it costs beside the reference plugin, once that was measured."""
        self.observed = Observed()
        self.probe = ManifestProbe(b"", b"", None)
        self.used: dict[Host, Moment] = {}
        """The hosts of the check that runs, with how far each had come when the check began to use it."""
        self.until_close = contextlib.AsyncExitStack()
        """What checks have opened for the rest of the run."""
        self._folder = Path(tempfile.mkdtemp(prefix="animus-conformance-"))
        self._folders = 0
        self._stimuli = 0
        self._kept: dict[str, _Kept] = {}
        self._rough_is_spoilt = False
        self._never_starts = ""
        self._initialized: Mapping[str, Any] = {}

    # what it says of itself

    async def look(self) -> None:
        """Ask for the manifest, and take the kind from it if none was named. Raises Unproven when it cannot start."""
        project = await self.project()
        self.probe = await probe_manifest(self.command, project, self.environment(project), self.patience.manifest_s)
        if not self._kind_is_given:
            self.kind = kind_of_manifest(self.manifest)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What `--manifest` printed; empty when that is no JSON object."""
        return self.probe.manifest

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """`capabilities` of the last result of `initialize`."""
        told = self._initialized.get("capabilities")
        return told if isinstance(told, Mapping) else {}

    @property
    def spelled(self) -> frozenset[str]:
        """The methods that it advertises, in manifest or `initialize`, as it spells them (protocol §2)."""
        words = [*_texts(self.manifest.get("capabilities")), *_texts(self.capabilities.get("methods"))]
        return frozenset(one for one in words if "/" in one and not one.startswith(_FLAGS))

    @property
    def advertised(self) -> frozenset[str]:
        """The same, with `subject/<verb>` for every kind's own name of a verb."""
        return frozenset(canonical(one) for one in self.spelled)

    @property
    def subject_kinds(self) -> list[str]:
        """The kinds of subjects that it claims, patterns such as `issue.*` included (protocol §4)."""
        tokens = [
            one.removeprefix(_SUBJECT_KIND)
            for one in _texts(self.manifest.get("capabilities"))
            if one.startswith(_SUBJECT_KIND)
        ]
        return list(dict.fromkeys([*_texts(self.capabilities.get("subject_kinds")), *tokens]))

    def method(self, name: str) -> str:
        """How this plugin wants `name` to be spelled: `subject/list` may be `task/list` (protocol §4)."""
        if name in self.spelled:
            return name
        own = sorted(one for one in self.spelled if canonical(one) == name)
        if own:
            return own[0]
        prefix, _, verb = name.partition("/")
        plain = [kind for kind in self.subject_kinds if "*" not in kind]
        return f"{plain[0]}/{verb}" if prefix == "subject" and plain else name

    def params(self, method: str, **ours: Any) -> dict[str, Any]:
        """What to send: `ours`, over what the settings give for `method` (by its `subject/` name)."""
        return {**self.settings.params.get(canonical(method), {}), **ours}

    # processes

    async def project(self) -> Path:
        """A new project folder: the settings' copy, after their setup command. Raises Unproven when that fails."""
        self._folders += 1
        folder = self._folder / f"project-{self._folders}"
        if self.settings.project is not None:
            shutil.copytree(self.settings.project, folder, symlinks=True)
        else:
            folder.mkdir()
        (self._folder / f"home-{self._folders}").mkdir()
        if self.settings.setup:
            await self._command("setup", self.settings.setup, folder)
        return folder

    def environment(self, project: Path) -> dict[str, str]:
        """The whole environment of a plugin for `project`: short, as a host gives it, with a home of its own."""
        kept = {name: os.environ[name] for name in (*_PASSED, *self.settings.pass_names) if name in os.environ}
        home = str(project.parent / project.name.replace("project", "home"))
        return {"HOME": home, **kept, **self.settings.environment}

    @contextlib.asynccontextmanager
    async def spawned(
        self,
        *,
        project: Path | None = None,
        profile: Profile | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Host]:
        """A process that nobody has initialized; killed at the end of the block. Raises Unproven."""
        folder = project or await self.project()
        host = await self._spawn(folder, profile or self.profile, environment)
        try:
            yield host
        finally:
            await host.close()

    @contextlib.asynccontextmanager
    async def started(
        self,
        *,
        project: Path | None = None,
        profile: Profile | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Host]:
        """An initialized process of its own; killed at the end of the block. Raises Unproven when it does not start."""
        self._require_hope()
        folder = project or await self.project()
        async with self.spawned(project=folder, profile=profile, environment=environment) as host:
            await self._greet(host, folder)
            yield host

    async def shared(self) -> Host:
        """An initialized process that gentle checks share; a new one when the last one has ended."""
        return await self._keep("shared")

    async def rough(self) -> Host:
        """An initialized process that rough checks share; a new one after a check that did not pass."""
        return await self._keep("rough")

    def give_up_rough(self) -> None:
        """The check that runs did not pass: what it used roughly is no longer to be trusted."""
        kept = self._kept.get("rough")
        self._rough_is_spoilt = kept is not None and kept.host in self.used

    @property
    def shared_project(self) -> Path:
        """The project folder of the shared process."""
        return self._kept["shared"].host.project

    @property
    def greeting(self) -> Reply:
        """What `initialize` of the shared process came to."""
        return self._kept["shared"].greeting

    async def initialize(self, host: Host, project: Path, **changes: Any) -> Reply:
        """`initialize` as the host's profile sends it, with `changes`. Raises Failed when it gets no answer."""
        params: dict[str, Any] = {
            "protocol_version": host.profile.protocol_version,
            "host_info": {"name": "animus-conformance", "version": VERSION},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
        }
        if host.profile.sends_extensions:
            binding = {"project_root": str(project), "repo_scope": f"{project.name}-0123456789ab"}
            params["init_extensions"] = {"project_binding": binding}
        return await host.ask("initialize", {**params, **changes}, within_s=self.patience.start_s)

    async def stimulate(self, name: Stimulus, project: Path) -> None:
        """Make something happen outside. Raises Unproven where the settings say no way."""
        command = self.settings.stimulus.get(name)
        if command is None:
            raise Unproven(
                f"nothing makes it happen: name a command in conformance.toml, "
                f'[stimulus.{name}] command = ["touch", "file-{{n}}"]'
            )
        self._stimuli += 1
        await self._command(f"stimulus.{name}", [one.replace("{n}", str(self._stimuli)) for one in command], project)

    async def close(self) -> None:
        """End what is kept and remove every folder; what goes wrong with one, a signal included, spares no other."""
        async with contextlib.AsyncExitStack() as ending:
            ending.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for name in self._kept:
                ending.push_async_callback(self._drop, name)
            ending.push_async_callback(self.until_close.aclose)

    # inside

    async def _spawn(self, project: Path, profile: Profile, environment: Mapping[str, str] | None) -> Host:
        launch = Launch(self.command, project, self.environment(project) if environment is None else dict(environment))
        try:
            process = await PluginProcess.start(launch)
        except OSError as error:
            raise Unproven(f"{self.command[0]} cannot be started: {error.strerror}") from error
        host = Host(process, project, profile, self.patience, self.observed)
        self.used[host] = host.now
        return host

    async def _greet(self, host: Host, project: Path) -> Reply:
        try:
            reply = await self.initialize(host, project)
        except Failed as failed:
            raise self._not_started(host, str(failed)) from None
        if reply.error is not None or not isinstance(reply.result, Mapping):
            raise self._not_started(host, f"initialize answered with {reply}")
        self._initialized = host.initialized = reply.result
        host.tell("initialized")
        return reply

    def _require_hope(self) -> None:
        """Whoever never starts is not waited for again in every check. Raises Unproven."""
        if self._never_starts:
            raise Unproven(self._never_starts)

    def _not_started(self, host: Host, why: str) -> Unproven:
        if not self._initialized and host.profile is self.profile:
            self._never_starts = f"it does not start: {why}"
        return Unproven(f"it does not start: {why}")

    async def _keep(self, name: str) -> Host:
        kept = self._kept.get(name)
        if kept is None or kept.host.is_gone or (name == "rough" and self._rough_is_spoilt):
            await self._drop(name)
            self._require_hope()
            folder = await self.project()
            host = await self._spawn(folder, self.profile, None)
            try:
                kept = _Kept(host, await self._greet(host, folder))
            except BaseException:
                await host.close()  # whoever asks next is not to take it for one that was initialized
                raise
            self._kept[name] = kept
        self.used.setdefault(kept.host, kept.host.now)
        return kept.host

    async def _drop(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            await kept.host.close()
        if name == "rough":
            self._rough_is_spoilt = False

    async def _command(self, what: str, command: Sequence[str], project: Path) -> None:
        """Run one of the settings' commands in the project; what it leaves running ends with it. Raises Unproven.

        A file takes its output, which a helper of it may hold open for longer than it runs itself.
        """
        arguments = command_from(command, self.settings.folder)
        launch = Launch(arguments, project, self.environment(project))
        with tempfile.TemporaryFile(dir=self._folder) as output:
            try:
                group = await ProcessGroup.start(launch, stdin=DEVNULL, stdout=output, stderr=STDOUT)
            except OSError as error:
                why = f"{arguments[0]} cannot be started: {error.strerror}"
                raise Unproven(f"conformance.toml: {what}: {why}") from error
            try:
                ended = await group.exited(self.patience.start_s)
            finally:
                await group.end()
            if not ended:
                raise Unproven(f"conformance.toml: {what} did not end within {self.patience.start_s:g} s")
            if group.exit_code:
                output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT_BYTES))
                tail = output.read().decode(errors="replace")
                raise Unproven(f"conformance.toml: {what} ended with {group.exit_code}: {tail}")


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
