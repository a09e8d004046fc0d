"""`.animus-template.json`: what a project was made of, kept in the project, so that it can be compared later.

Nothing lies below. A file's digest tells the template's changes from its
author's without a copy of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from animus_templates.errors import BadRecord
from animus_templates.version import VERSION

__all__ = [
    "ANSWERS",
    "RECORD",
    "TemplateRecord",
    "digest",
    "files_in",
    "read_record",
    "replace_record",
    "write_record",
]

RECORD: Final = ".animus-template.json"
ANSWERS: Final = ("name", "description", "author", "license")
"""What is asked; all other names follow from it."""

_HINT: Final = f"Name the folder of a project that animus plugin new has made; its {RECORD} says how."


@dataclass(frozen=True)
class TemplateRecord:
    """The template's kind and version, the answers, and the SHA-256 of each file as it was rendered."""

    kind: str
    version: str
    answers: Mapping[str, str]
    files: Mapping[str, str]


def digest(content: bytes) -> str:
    """The SHA-256 of a file's content, in hex."""
    return hashlib.sha256(content).hexdigest()


def files_in(project: Path) -> dict[str, bytes]:
    """The content of every file of a project that was just rendered, by its path; without the record."""
    found = sorted(path for path in project.rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in found if path != project / RECORD}


def write_record(project: Path, kind: str, answers: Mapping[str, str]) -> None:
    """Record what was rendered into `project`."""
    files = {path: digest(content) for path, content in files_in(project).items()}
    document = {
        "kind": kind,
        "version": VERSION,
        "answers": {name: answers[name] for name in ANSWERS},
        "files": files,
    }
    (project / RECORD).write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def replace_record(project: Path, rendered: Path) -> None:
    """Give `project` the record of `rendered`, as a whole or not at all. Raises OSError."""
    # A rename replaces the whole file or nothing, so that an interrupted accept leaves a record that can be read.
    draft = project / f"{RECORD}.draft"
    draft.write_bytes((rendered / RECORD).read_bytes())
    draft.replace(project / RECORD)


def read_record(project: Path) -> TemplateRecord:
    """What was recorded in `project`. Raises BadRecord."""
    path = project / RECORD
    try:
        document: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadRecord(f"{project} was not made from a template: it has no {RECORD}", _HINT) from None
    except (OSError, ValueError) as error:
        raise BadRecord(f"{path}: {error}", _HINT) from error
    match document:
        case {"kind": str(kind), "version": str(version), "answers": dict(answers), "files": dict(files)}:
            pass
        case _:
            raise BadRecord(f"{path}: kind, version, answers and files are expected", _HINT)
    if answers.keys() != set(ANSWERS) or not all(isinstance(one, str) for one in [*answers.values(), *files.values()]):
        raise BadRecord(f"{path}: answers have to be {', '.join(ANSWERS)}, and all values texts", _HINT)
    for name in files:  # a record comes with a repository: it must not make us read files elsewhere
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BadRecord(f"{path}: the file {name!r} is outside the project", _HINT)
    return TemplateRecord(kind, version, answers, files)
