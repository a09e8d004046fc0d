"""Finds plugins: the operator's registry first, then the entry points of this Python environment.

Called by the daemon, the agent-runner and the CLI at start; below it lies `manifest.py`. The first of a name wins, and
a broken one still reserves its name. Nothing is ever imported from a plugin: entry points name console scripts.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from animus_core.errors import InvalidInput, Unavailable
from animus_core.host.manifest import probe
from animus_protocol.models.manifest import PluginManifest

__all__ = ["Candidate", "Discovery", "Plugin", "ProbeFailure", "candidates", "discover"]

_PARALLEL_PROBES: Final = 4


class Candidate(NamedTuple):
    """Something that may be a plugin: what to run, and where it was found."""

    name: str
    command: tuple[str, ...]
    source: str


class Plugin(NamedTuple):
    """A candidate that answered with a manifest."""

    candidate: Candidate
    manifest: PluginManifest

    @property
    def name(self) -> str:
        """The name under which it was found."""
        return self.candidate.name

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every plugin kind that it says to be."""
        return tuple(dict.fromkeys((self.manifest.plugin_kind, *self.manifest.plugin_kinds)))

    @property
    def subject_kinds(self) -> tuple[str, ...]:
        """The subject kinds of its manifest's `subject_kind:<kind>` tokens."""
        prefix = "subject_kind:"
        return tuple(t.removeprefix(prefix) for t in self.manifest.capabilities if t.startswith(prefix))


class ProbeFailure(NamedTuple):
    """Why a candidate is not used. It never stops the others."""

    name: str
    message: str


class Discovery(NamedTuple):
    """What was found, in the order of precedence."""

    plugins: tuple[Plugin, ...]
    warnings: tuple[ProbeFailure, ...]

    def of_kind(self, kind: str) -> tuple[Plugin, ...]:
        """The plugins of one plugin kind."""
        return tuple(plugin for plugin in self.plugins if kind in plugin.kinds)

    def named(self, name: str) -> Plugin | None:
        """The plugin called `name`."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)


def candidates(config_dir: Path) -> list[Candidate]:
    """All candidates, first match first. Raises InvalidInput for a registry that does not parse."""
    first: dict[str, Candidate] = {}
    for candidate in (*_registry(config_dir), *_installed()):
        first.setdefault(candidate.name, candidate)
    return list(first.values())


async def discover(config_dir: Path) -> Discovery:
    """Probe every candidate, several at a time."""
    gate = asyncio.Semaphore(_PARALLEL_PROBES)

    async def ask(candidate: Candidate) -> Plugin | ProbeFailure:
        async with gate:
            try:
                return Plugin(candidate, await probe(candidate.name, candidate.command))
            except Unavailable as error:
                return ProbeFailure(candidate.name, error.message)

    found = candidates(config_dir)  # outside the group, which would wrap what it raises
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(candidate)) for candidate in found]
    answers = [task.result() for task in tasks]
    return Discovery(
        tuple(answer for answer in answers if isinstance(answer, Plugin)),
        tuple(answer for answer in answers if isinstance(answer, ProbeFailure)),
    )


def _registry(config_dir: Path) -> list[Candidate]:
    """`plugins.yaml`: `plugins: {NAME: {binary: PATH | [PROGRAM, ARG…]}}` in the operator's folder."""
    path = config_dir / "plugins.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInput(
            f"{path}:{line}: not valid YAML: {error.problem or error.context}", hint="Mend the file or move it away."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", hint="Mend the file or move it away.") from error
    rows = content.get("plugins") if isinstance(content, dict) else None
    if content is None or (rows is None and isinstance(content, dict)):
        return []
    if not isinstance(rows, dict):
        raise InvalidInput(f"{path}: `plugins` is no mapping of names", hint="Write `plugins: {NAME: {binary: PATH}}`.")
    found = []
    for name, row in rows.items():
        binary = row.get("binary") if isinstance(row, dict) else None
        command = [binary] if isinstance(binary, str) else binary
        if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
            raise InvalidInput(
                f"{path}: plugins.{name}.binary is neither a path nor a list of strings",
                hint="Write `binary: /path/to/program`.",
            )
        found.append(Candidate(str(name), (str(Path(command[0]).expanduser()), *command[1:]), "registry"))
    return found


def _installed() -> list[Candidate]:
    """Console scripts of this environment's `animus.plugins` entry points: trusted by installation."""
    scripts = Path(sys.executable).parent
    return [
        Candidate(point.name, (str(scripts / point.name),), "environment")
        for point in sorted(entry_points(group="animus.plugins"))
    ]
