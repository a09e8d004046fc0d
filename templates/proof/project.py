"""The projects that are made: an ordinary one a kind, and an awkward one a kind.

Read by `prove.py` and the other modules here; below it lies `environment.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proof.environment import Environment
    from proof.steps import Failure

__all__ = ["AWKWARD", "ORDINARY", "Project"]

_MAKE_S: Final = 60


@dataclass(frozen=True)
class Project:
    """What is typed, and where the project is once it was made."""

    kind: str
    name: str
    options: tuple[str, ...] = ()
    _made: dict[str, Path] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """How the progress lines call it."""
        return f"{self.kind} {self.name!r}"

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self._made["folder"]

    @property
    def distribution(self) -> str:
        """The plugin's name, which its console script has, too."""
        return self.folder.name

    def make(self, environment: Environment, destination: Path, failures: list[Failure]) -> bool:
        """Let `animus plugin new` make it in `destination`; whether it did."""
        from proof.steps import Failure

        new = ["plugin", "new", "--json", f"--kind={self.kind}", f"--name={self.name}", f"--path={destination}"]
        command = ["python", "-m", "animus_core.cli.main", *new, *self.options]
        done = environment.run(command, destination.parent, timeout_s=_MAKE_S)
        if done.returncode != 0:
            failures.append(Failure(self, "plugin new", done.stdout))
            return False
        self._made["folder"] = Path(json.loads(done.stdout)["data"]["project"])
        return True


ORDINARY: Final = (
    Project("subject", "my-tickets"),
    Project("provider", "my-agent"),
    Project("trigger", "my-inbox"),
    Project("transport", "my-gateway"),
    Project("web-ui", "my-page"),
    Project("log-storage", "my-log"),
    Project("notifier", "my-outbox"),
)

AWKWARD: Final = (
    Project(
        "subject",
        "Spaces & Signs!",
        (
            """--description=He said "{{ 7 * 7 }}", it's a \\ and {% raw %} #""",
            """--author=O'Brien, "Söhne" & Co""",
            "--license=Apache-2.0",
        ),
    ),
    Project("provider", "dots.and_more", ("--license=none",)),
    Project("trigger", "Größe", ("--license=BSD-3-Clause", "--description=Größe: 日本語, für alle")),
    Project("transport", "class"),
    Project("web-ui", "7days"),
    Project("log-storage", "None"),
    Project("notifier", "animus-notifier-" + "x" * 32),
)
