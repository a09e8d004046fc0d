"""`animus init`: the project's folder with a starter workflow, and the trust in what was written.

Below lie the starter workflow and plain files. What exists is never overwritten.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.errors import RetryLater
from animus_core.services.trust import trust_what_was_written
from animus_core.store.project_config import DEFAULT_SUBJECT_KIND
from animus_core.supply.trust.trust import inspect
from animus_core.workflow.scaffold import starter_workflows

__all__ = ["init"]

_CONFIG: Final = {"default_subject_kind": DEFAULT_SUBJECT_KIND}


def init(args: argparse.Namespace, output: Output) -> int:
    """Make `.animus/` with what is missing of it, and the project's state folder."""
    scope = scope_of(args)
    folder = scope.project_root / ".animus"
    scope.create()
    # Before anything is written: only what was trusted or empty then may be trusted with our files afterwards.
    before = inspect(scope.root.parent, scope.project_root)
    written = dict[str, str]()
    try:
        folder.mkdir(exist_ok=True)
        (folder / "tasks").mkdir(exist_ok=True)
        # A project with workflows of its own gets no starter: its names could clash with theirs.
        own_workflows = (folder / "workflows").is_dir() and any((folder / "workflows").glob("*.yaml"))
        if not own_workflows and _write_if_missing(folder / "workflows.yaml", starter := starter_workflows()):
            written["workflows.yaml"] = starter
        if _write_if_missing(folder / "config.json", config := json.dumps(_CONFIG, indent=2) + "\n"):
            written["config.json"] = config
    except OSError as error:
        raise RetryLater(f"{folder}: cannot be written: {error.strerror}") from error
    now = trust_what_was_written(scope, before, written)
    data = {
        "project_root": str(scope.project_root),
        "repo_scope": scope.root.name,
        "created": bool(written),
        "trusted": now.trusted,
    }
    names = ", ".join(f".animus/{name}" for name in written)
    done = f"wrote {names}" if written else "everything was there already"
    following = "animus daemon start, then animus queue enqueue TASK-ID"
    if not now.trusted:
        data["untrusted"] = now.reason
        following = f"animus trust ({now.reason})"
    text = f"{scope.project_root}: {done}\nNext: {following}"
    output.result(data, text)
    return 0


def _write_if_missing(path: Path, text: str) -> bool:
    try:
        # `x` fails for what exists, a dangling link too: nothing is overwritten or written through a link.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
