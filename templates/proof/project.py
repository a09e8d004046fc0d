"""The projects that are asked for, an ordinary one a kind and an awkward one a kind, and how they are generated.

Below it lies `environment.py`, in which the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from proof.environment import Environment

__all__ = ["AWKWARD", "ORDINARY", "GeneratedProject", "NotGenerated", "ProjectRequest", "generate"]

_GENERATE_S: Final = 60
"""A bound for what should take seconds: it is there so that a command that waits for input ends the proof."""


class ProjectRequest(NamedTuple):
    """What is typed to get a project."""

    kind: str
    name: str
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the progress lines call it."""
        return f"{self.kind} {self.name!r}"


class GeneratedProject(NamedTuple):
    """A project that was made as it was requested, and its folder."""

    request: ProjectRequest
    folder: Path

    @property
    def distribution(self) -> str:
        """The plugin's name, which its console script has, too."""
        return self.folder.name


class NotGenerated(Exception):
    """`animus plugin new` has refused; the message is what it printed."""


def generate(request: ProjectRequest, environment: Environment, destination: Path) -> GeneratedProject:
    """Let `animus plugin new` make the project in `destination`. Raises NotGenerated."""
    new = ["plugin", "new", "--json", f"--kind={request.kind}", f"--name={request.name}", f"--path={destination}"]
    command = ["python", "-m", "animus_core.cli.main", *new, *request.options]
    done = environment.run(command, destination.parent, timeout_s=_GENERATE_S)
    if done.returncode != 0:
        raise NotGenerated(done.stdout)
    return GeneratedProject(request, Path(json.loads(done.stdout)["data"]["project"]))


ORDINARY: Final = (
    ProjectRequest("subject", "my-tickets"),
    ProjectRequest("provider", "my-agent"),
    ProjectRequest("trigger", "my-inbox"),
    ProjectRequest("transport", "my-gateway"),
    ProjectRequest("web-ui", "my-page"),
    ProjectRequest("log-storage", "my-log"),
    ProjectRequest("notifier", "my-outbox"),
)

# Names and answers that need quoting, escaping or a new spelling somewhere: in TOML, YAML, Jinja, Python or a path.
AWKWARD: Final = (
    ProjectRequest(
        "subject",
        "Spaces & Signs!",
        (
            """--description=He said "{{ 7 * 7 }}", it's a \\ and {% raw %} #""",
            """--author=O'Brien, "Söhne" & Co""",
            "--license=Apache-2.0",
        ),
    ),
    ProjectRequest("provider", "dots.and_more", ("--license=none",)),
    ProjectRequest("trigger", "Größe", ("--license=BSD-3-Clause", "--description=Größe: 日本語, für alle")),
    ProjectRequest("transport", "class"),
    ProjectRequest("web-ui", "7days"),
    ProjectRequest("log-storage", "None"),
    ProjectRequest("notifier", "animus-notifier-" + "x" * 32),
)
