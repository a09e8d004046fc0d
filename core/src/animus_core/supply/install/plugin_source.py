"""What an operator names when installing a plugin: a distribution here, an executable here, or a name in an index.

Below it lies the file system, where nothing is opened but `pyproject.toml`. A word without a slash is always a name in
an index, so that nothing that lies in the current folder, which may be somebody else's repository, takes its place.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import InvalidInput

__all__ = ["InstallSource", "SourceKind", "is_requirement", "parse_source"]

_ARCHIVES: Final = (".whl", ".tar.gz", ".zip")
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS: Final = rf"\[ *{_NAME}(?: *, *{_NAME})* *\]"
_CLAUSE: Final = r"(?:===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9][A-Za-z0-9.*+!_-]*"
_REQUIREMENT: Final = re.compile(rf"({_NAME})(?: *{_EXTRAS})?(?: *{_CLAUSE}(?: *, *{_CLAUSE})*)?")
_LONGEST_STEM: Final = 60  # part of the path in its scripts' first lines, which the kernel bounds (execve(2))
_LONGEST_SOURCE: Final = 4096  # PATH_MAX
_WAYS: Final = "Give a wheel, an sdist, a folder with pyproject.toml, an executable file, or a NAME or NAME==VERSION."


class SourceKind(StrEnum):
    """How a source is installed."""

    ARCHIVE = "archive"
    FOLDER = "folder"
    EXECUTABLE = "executable"
    INDEX = "index"


class InstallSource(NamedTuple):
    """A source that was understood. `text` is what is recorded; `path` is absolute, None for an index.

    `stem` is the distribution's normalised name as far as it is known before the installation.
    """

    kind: SourceKind
    text: str
    path: Path | None
    stem: str

    @property
    def pip_argument(self) -> str:
        """The argument that pip gets; it never begins with a dash."""
        # As an address: a path may begin with a dash, or hold what pip reads as extras (`[x]`).
        return self.text if self.path is None else self.path.as_uri()


def is_requirement(text: str) -> bool:
    """Whether `text` is `NAME`, `NAME[EXTRA]` or these with versions, and nothing else that pip understands."""
    return _REQUIREMENT.fullmatch(text) is not None


def parse_source(text: str, cwd: Path) -> InstallSource:
    """What `text` means to somebody who stands in `cwd`. Raises InvalidInput that says what it could have been."""
    if not text or len(text) > _LONGEST_SOURCE or not text.isprintable():
        raise InvalidInput(f"the source {text[:80]!r} is empty, too long or not printable", hint=_WAYS)
    # It would reach pip as an option, and some of those execute programs or change the index.
    if text.startswith("-"):
        raise InvalidInput(f"the source {text!r} looks like an option", hint=f"A file called so is ./{text}. {_WAYS}")
    if text.endswith(_ARCHIVES) or os.sep in text or text in (".", "..", "~"):
        return _local(text, Path(os.path.abspath(cwd / Path(text).expanduser())))
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        raise InvalidInput(f"the source {text!r} is neither a path nor a name with versions", hint=_WAYS)
    return InstallSource(SourceKind.INDEX, text, None, _stem(found[1]))


def _local(text: str, path: Path) -> InstallSource:
    # An address may give another file each time; a file that was downloaded can be looked at first.
    if "://" in text:
        raise InvalidInput(f"{text}: addresses are not installed from", hint="Download it, then install the file.")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", hint=_WAYS) from error
    if stat.S_ISDIR(mode):
        return InstallSource(SourceKind.FOLDER, str(path), path, _stem(_project_name(path)))
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"{path} is neither a file nor a folder", hint=_WAYS)
    if path.name.endswith(_ARCHIVES):
        name = path.name.split("-")[0] if path.name.endswith(".whl") else re.split(r"-\d", path.name)[0]
        return InstallSource(SourceKind.ARCHIVE, str(path), path, _stem(name))
    if not os.access(path, os.X_OK):
        raise InvalidInput(f"{path} is a file that cannot be executed", hint=f"If it is a plugin: chmod +x {path}")
    return InstallSource(SourceKind.EXECUTABLE, str(path), path, _stem(path.name))


def _project_name(folder: Path) -> str:
    """The name in a folder's `pyproject.toml`, else the folder's own."""
    path = folder / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except FileNotFoundError as error:
        raise InvalidInput(f"{folder} is a folder without pyproject.toml", hint=_WAYS) from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", hint="Fix the file.") from error
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else folder.name


def _stem(name: str) -> str:
    """A name as packaging normalises it, safe as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_STEM].rstrip("-") or "plugin"
