"""A project folder on disk and what loading it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from animus_core.workflow.definitions import WorkflowSet
from animus_core.workflow.issues import InvalidWorkflow
from animus_core.workflow.load import load_workflows

Load = Callable[..., WorkflowSet]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the files (one text = `workflows.yaml`; names are relative to `.animus/`) and load them."""

    def write_and_load(files: str | Mapping[str, str], env: Mapping[str, str] | None = None) -> WorkflowSet:
        named = {"workflows.yaml": files} if isinstance(files, str) else files
        for name, text in named.items():
            path = tmp_path / ".animus" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return load_workflows(tmp_path, env or {})

    return write_and_load


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """The lines of the error that loading the files raises, without the leading `.animus/`."""

    def lines(files: str | Mapping[str, str], env: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(InvalidWorkflow) as raised:
            load(files, env)
        return [line.removeprefix(".animus/") for line in raised.value.message.splitlines()]

    return lines
