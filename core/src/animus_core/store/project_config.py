"""What a project's `.animus/config.json` says. People write this file, so it is read and never replaced.

Nothing lies below.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from animus_core.errors import InvalidInput

__all__ = ["DEFAULT_SUBJECT_KIND", "default_subject_kind"]

DEFAULT_SUBJECT_KIND: Final = "task"
"""The kind of a project's subjects where its `config.json` names none."""


def default_subject_kind(project_root: Path) -> str:
    """The kind of subjects that is meant where none is named. Raises InvalidInput for a file that cannot be used."""
    path = project_root / ".animus" / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DEFAULT_SUBJECT_KIND
    except (ValueError, OSError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", hint="Fix the file, or remove it.") from error
    kind = config.get("default_subject_kind", DEFAULT_SUBJECT_KIND) if isinstance(config, dict) else None
    if not isinstance(kind, str) or not kind:
        raise InvalidInput(f"{path}: default_subject_kind is not a text", hint='Write "default_subject_kind": "task".')
    return kind
