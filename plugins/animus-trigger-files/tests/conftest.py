"""A host for the real plugin process, and the project that it watches; every wait has a deadline."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from raw_host import RawHost

DEADLINE_S = 30
_SOURCES = Path(__file__).parents[1] / "src"


class Host(RawHost):
    """A host of one plugin process; what all of one test write to stderr is in one file."""

    def __init__(self, root: Path, config_dir: Path, scope: str | None, env: dict[str, str], before: Sequence[str]):
        self._scope = scope
        self._stderr_path = config_dir.parent / "stderr"
        paths = os.pathsep.join(filter(None, (str(_SOURCES), os.environ.get("PYTHONPATH"))))
        environment = {"PYTHONPATH": paths, "ANIMUS_CONFIG_DIR": str(config_dir), **env}
        with self._stderr_path.open("ab") as stderr:
            super().__init__(
                [*before, sys.executable, "-m", "animus_trigger_files"], cwd=root, env=environment, stderr=stderr
            )

    def stderr(self) -> str:
        return self._stderr_path.read_text()

    def changes(self) -> dict[str, str]:
        """The changes that the next event lists; it is acknowledged."""
        event = self.event("trigger/event")
        self.result("trigger/ack", event_id=event["event_id"], status="queued")
        return changes_of(event)

    def watch(self, **config: Any) -> int | str:
        """Watch with one trigger, `t`, without a debounce; the id of the request."""
        return self.watch_all({"id": "t", "workflow_ref": "verify", "config": {"debounce_secs": 0, **config}})

    def watch_all(self, *triggers: dict[str, Any], cursor: Any = None) -> int | str:
        number = self.send("trigger/watch", config={"triggers": triggers}, cursor=cursor)
        assert self.reply(number)["result"] == {"watching": True}
        return number

    def end_watch(self, request_id: int | str) -> None:
        self.tell("$/cancelRequest", id=request_id)

    def begin(self) -> dict[str, Any]:
        binding = {"project_root": str(self.cwd), **({"repo_scope": self._scope} if self._scope else {})}
        return self.initialize(init_extensions={"project_binding": binding})


def put(path: Path, text: str) -> Path:
    """Write a file as editors do: whole from the first moment, by renaming another one over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}~")
    beside.write_text(text)
    return beside.replace(path)


def changes_of(event: dict[str, Any]) -> dict[str, str]:
    return {change["path"]: change["change"] for change in event["payload"]["changes"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / "src").mkdir(parents=True)
    return made


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def host(root: Path, config_dir: Path) -> Iterator[Callable[..., Host]]:
    """Starts a plugin process that has answered `initialize`; any number of times."""
    hosts: list[Host] = []

    def start(
        *, at: Path = root, scope: str | None = "demo-1", env: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> Host:
        hosts.append(Host(at, config_dir, scope, env or {}, before))
        hosts[-1].begin()
        return hosts[-1]

    config_dir.parent.mkdir(exist_ok=True)
    yield start
    for one in hosts:
        one.close()
