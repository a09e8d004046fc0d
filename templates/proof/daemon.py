"""The new plugins inside a daemon: a task goes through the subject backend and the provider, the others answer.

Below it lie `environment.py` and the command `animus`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from proof.environment import Environment
from proof.project import GeneratedProject
from proof.steps import Failure

__all__ = ["work_through"]

_COMMAND_S: Final = 60
_SCHEMAS: Final = {
    "trigger": "trigger/schema",
    "transport": "transport/schema",
    "web-ui": "transport/schema",
    "log-storage": "log_storage/schema",
    "notifier": "notifier/schema",
}


class _Refused(Exception):
    """A command that should have succeeded, and what it printed."""


def work_through(projects: Sequence[GeneratedProject], environment: Environment, place: Path) -> list[Failure]:
    """What fell short of one project a kind, in a repository and a home below `place`."""
    site = _Site(environment, place)
    site.prepare(projects, next(one.request.name for one in projects if one.request.kind == "provider"))
    failures = []
    try:
        site.animus("trust", "--yes")
        site.animus("daemon", "start")
        for project in projects:
            try:
                site.use(project)
            except _Refused as refused:
                failures.append(Failure(project.request, "in a daemon", str(refused)))
    except _Refused as refused:
        failures += [Failure(project.request, "in a daemon", str(refused)) for project in projects]
    finally:
        site.stop()
    return failures


class _Site:
    """A repository whose workflow uses the new provider, and a home where the new plugins are registered."""

    def __init__(self, environment: Environment, place: Path) -> None:
        self._environment = environment
        self._home, self._root = place / "home", place / "project"

    def prepare(self, projects: Sequence[GeneratedProject], tool: str) -> None:
        self._home.mkdir(parents=True)
        (self._root / ".animus").mkdir(parents=True)
        names = [project.distribution for project in projects]
        plugins = {name: {"binary": str(self._environment.bin / name)} for name in names}
        (self._home / "plugins.yaml").write_text(yaml.safe_dump({"plugins": plugins}))
        directive = "Work on {{subject_title}}."
        workflows = {
            "default_workflow_ref": "work",
            "phases": {
                "work": {
                    "mode": "agent",
                    "idempotency": "idempotent",
                    "directive": directive,
                    "runtime": {"tool": tool},
                }
            },
            "workflows": [{"id": "work", "phases": ["work"]}],
        }
        (self._root / ".animus" / "workflows.yaml").write_text(yaml.safe_dump(workflows))

    def use(self, project: GeneratedProject) -> None:
        """A subject backend is worked off, with the provider; the others are asked. Raises _Refused."""
        if project.request.kind == "subject":
            self.work_off(project.request.name)
        elif project.request.kind in _SCHEMAS:
            self.animus("plugin", "ping", project.distribution)
            self.animus("plugin", "call", project.distribution, _SCHEMAS[project.request.kind])

    def stop(self) -> None:
        """No daemon is left, whatever happened; without one there is nothing to do."""
        with contextlib.suppress(_Refused):
            self.animus("daemon", "stop", "--drain-secs", "10")

    def work_off(self, kind: str) -> None:
        """A subject that is created, worked on, and done."""
        created = self.animus("subject", "create", "--kind", kind, "The first one")["id"]
        self.animus("queue", "enqueue", created, "--kind", kind)
        self.animus("watch", "--until-idle")
        status = self.animus("subject", "get", created)["status"]
        if status != "done":
            runs = self.animus("workflow", "list")
            raise _Refused(f"{created} is {status}, and not done: {json.dumps(runs)}")

    def animus(self, *words: str) -> Any:
        """`data` of what a command prints. Raises _Refused."""
        command = ["animus", "--json", "--project-root", str(self._root), *words]
        variables = {"ANIMUS_CONFIG_DIR": str(self._home)}
        try:
            done = self._environment.run(command, self._root, timeout_s=_COMMAND_S, variables=variables)
        except subprocess.TimeoutExpired as error:
            raise _Refused(f"animus {' '.join(words)} did not end within {_COMMAND_S} s") from error
        if done.returncode != 0:
            raise _Refused(f"animus {' '.join(words)} ended with {done.returncode}: {done.stdout}")
        return json.loads(done.stdout.splitlines()[-1])["data"]
