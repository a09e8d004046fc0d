"""What an author names to work on: a project's folder, an executable, a Python file; how it runs, what it is made of.

It is read before each start, so that an edit of `pyproject.toml` counts. Below lies the file system, which is only
looked at.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import InvalidInput

__all__ = ["Sources", "Target", "read_target"]

_RUN_SCRIPT: Final = str(Path(__file__).with_name("run_script.py"))
_PREFIX: Final = "animus-"
_GROUP: Final = "animus.plugins"
_WAYS: Final = "Give a folder with pyproject.toml, an executable file, or a .py file."


class Sources(NamedTuple):
    """Files that a plugin is made of: in `folder`, and below it if `deep`; only those called `names`, if there are any.

    A name that begins with `*` stands for every name with that end.
    """

    folder: Path
    deep: bool
    names: tuple[str, ...] = ()


class Target(NamedTuple):
    """What to run, under which name until its manifest is read, and what it is made of."""

    name: str
    command: tuple[str, ...]
    sources: tuple[Sources, ...]


def read_target(path: Path, arguments: Sequence[str] = ()) -> Target:
    """The plugin at `path`, to be run with `arguments`. Raises InvalidInput that says what `path` could have been."""
    path = Path(os.path.abspath(path))
    if path.is_dir():
        found = _project(path)
    elif not path.is_file():
        raise InvalidInput(f"{path} is neither a file nor a folder", hint=_WAYS)
    else:
        found = _file(path)
    return found._replace(command=(*found.command, *arguments))


def _file(path: Path) -> Target:
    is_python = path.suffix == ".py"
    # The modules beside a script are what it imports; beside a binary lies anything.
    names = (path.name, "*.py") if is_python else (path.name,)
    sources = (Sources(path.parent, deep=False, names=names),)
    if os.access(path, os.X_OK):
        return Target(path.stem, (str(path),), sources)
    if is_python:
        return Target(path.stem, (sys.executable, str(path)), sources)
    raise InvalidInput(f"{path} is a file that cannot be executed", hint=f"If it is a plugin: chmod +x {path}")


def _project(folder: Path) -> Target:
    name, function = _script(folder)
    deep = folder / "src"
    if deep.is_dir():
        sources = [Sources(deep, deep=True), Sources(folder, deep=False, names=("pyproject.toml",))]
    else:
        deep = folder
        # Folder by folder, so that hidden ones (.git, .venv) are not watched: inotify watches are bounded.
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        sources = [Sources(folder, deep=False), *(Sources(path, deep=True) for path in below)]
    own = folder / ".venv" / "bin"
    if (own / name).is_file():
        return Target(name, (str(own / name),), tuple(sources))
    python = own / "python" if (own / "python").exists() else Path(sys.executable)
    return Target(name, (str(python), "-P", _RUN_SCRIPT, str(deep), function, name), tuple(sources))


def _script(folder: Path) -> tuple[str, str]:
    """The console script that is the plugin: its name and `MODULE:FUNCTION`."""
    path = folder / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project", {})
    except FileNotFoundError as error:
        raise InvalidInput(f"{folder} is a folder without pyproject.toml", hint=_WAYS) from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", hint="Fix the file.") from error
    scripts = _table(project, "scripts")
    points = _table(_table(project, "entry-points"), _GROUP)
    # What says to be a plugin goes before what is only called like one.
    names = [name for name in scripts if name in points] or [name for name in scripts if name.startswith(_PREFIX)]
    if len(names) > 1:
        names = [name for name in names if name == _table({"project": project}, "project").get("name")] or names
    if len(names) != 1:
        which = f"{', '.join(names)}: which?" if names else "none that begins with animus-"
        hint = "Name one of them as the project, or give the file of the script." if names else f"Add it: {_LINE}"
        raise InvalidInput(f"{path}: [project.scripts] has {which}", hint=hint)
    function = scripts[names[0]]
    if not isinstance(function, str) or not all(function.partition(":")):
        raise InvalidInput(f"{path}: project.scripts.{names[0]} is {function!r}", hint=f"Write it as {_LINE}")
    # Extras behind the function (`module:main [http]`) are the installer's business.
    return names[0], "".join(function.partition("[")[0].split())


_LINE: Final = 'animus-subject-mine = "animus_subject_mine.plugin:main"'


def _table(parent: Any, name: str) -> Mapping[str, Any]:
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}
