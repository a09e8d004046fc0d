"""Where everything is: the configuration directory, the project's root, and the state that belongs to a project.

Nothing is read from or written to a place that is not named here. Below it lie the file system and Git's files, which
are read without running git.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from animus_core.errors import InvalidInput, RetryLater
from animus_core.store.durability import sync_directory

__all__ = [
    "SOCKET_PATH_LIMIT_BYTES",
    "RunPaths",
    "Scope",
    "check_socket_path",
    "config_dir",
    "project_root",
    "repo_scope",
]

SOCKET_PATH_LIMIT_BYTES: Final = 108 if sys.platform == "linux" else 104
"""Room for a socket's path, its closing NUL included (unix(7); `sys/un.h` on macOS)."""

_LONGEST_NAME_BYTES: Final = 120  # names may have 255 bytes (NAME_MAX); attempts and suffixes come behind it
_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")  # no slash, no leading dot: never another folder


def config_dir(env: Mapping[str, str]) -> Path:
    """`ANIMUS_CONFIG_DIR`, else `~/.animus`. Raises InvalidInput for a relative path."""
    named = env.get("ANIMUS_CONFIG_DIR")
    if not named:
        # HOME of `env` and not of this process, which is what Path.home() reads.
        return Path(env.get("HOME") or Path.home()) / ".animus"
    if not os.path.isabs(named):
        raise InvalidInput(
            f"ANIMUS_CONFIG_DIR is {named!r}, which means another place in each working directory",
            hint="Set it to an absolute path.",
        )
    return Path(named)


def project_root(explicit: Path | None, cwd: Path) -> Path:
    """The canonical project root: `explicit`, else the main worktree of the Git repository around `cwd`, else `cwd`.

    Raises InvalidInput if `explicit` is not an existing folder.
    """
    if explicit is not None:
        if not (cwd / explicit).is_dir():
            raise InvalidInput(f"project root {explicit} is not a folder", hint="Give --project-root a folder.")
        return (cwd / explicit).resolve()
    cwd = cwd.resolve()
    for folder in (cwd, *cwd.parents):
        git_dir = _git_dir(folder)
        if git_dir is not None:
            return _main_worktree(folder, git_dir)
    return cwd


def repo_scope(root: Path) -> str:
    """The name of a project's state folder: `<sanitised folder name>-<12 hex of SHA-256 of the canonical root>`.

    A linked worktree has the scope of its main worktree. Sanitised: ASCII letters and digits in lower case; runs of
    blank, `_` and `-` become one `-`; everything else is dropped; nothing left becomes `repo`.
    """
    # Canonical first: one project reached by two paths must have one daemon and one database.
    root = root.resolve()
    git_dir = _git_dir(root)
    if git_dir is not None:
        root = _main_worktree(root, git_dir)
    # The name is for people; the hash of the path is what tells two projects of one name apart.
    kept = re.sub(r"[^a-z0-9 _-]", "", re.sub(r"[^\x00-\x7f]", "", root.name).lower())
    name = re.sub(r"[ _-]+", "-", kept) or "repo"
    return f"{name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


def check_socket_path(path: Path) -> Path:
    """`path`, if a Unix socket can be bound there; raises InvalidInput if it is too long for the platform."""
    size_bytes = len(os.fsencode(path)) + 1
    if size_bytes > SOCKET_PATH_LIMIT_BYTES:
        raise InvalidInput(
            f"{path}: {size_bytes} bytes, but the path of a socket may have {SOCKET_PATH_LIMIT_BYTES}",
            hint="Set ANIMUS_CONFIG_DIR to a shorter path.",
            details={"path": str(path), "size_bytes": size_bytes, "limit_bytes": SOCKET_PATH_LIMIT_BYTES},
        )
    return path


class RunPaths(NamedTuple):
    """The files of one run, all in `root`."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the run's runner."""
        return self.root / "lock"

    @property
    def plan(self) -> Path:
        """The plan as it was trusted at dispatch."""
        return self.root / "plan.json"

    @property
    def dispatch(self) -> Path:
        """The dispatch as it was accepted."""
        return self.root / "dispatch.json"

    @property
    def journal(self) -> Path:
        """The run's journal, written by its runner alone."""
        return self.root / "journal.jsonl"

    @property
    def log(self) -> Path:
        """What the runner writes to stdout and stderr."""
        return self.root / "runner.log"

    def session(self, phase: str) -> Path:
        """The provider, id and status of the phase's last session, written by the agent-runner alone."""
        return self.root / f"{_file_name(phase)}.session.json"

    def spool(self, phase: str, attempt: int) -> Path:
        """What the session did, as journal records, written by the agent-runner alone."""
        return self.root / f"{_file_name(phase)}.{attempt}.spool.jsonl"

    def attempt_lock(self, phase: str, attempt: int) -> Path:
        """Held by the attempt's process tree."""
        return self.root / f"{_file_name(phase)}.{attempt}.attempt.lock"

    def create(self) -> None:
        """Make the folder (0700), durably. Raises RetryLater if it cannot be made."""
        _make_folder(self.root)


class Scope(NamedTuple):
    """A project and its state: `project_root`, and the folder `root` in the configuration directory."""

    project_root: Path
    root: Path

    @staticmethod
    def of(project_root: Path, env: Mapping[str, str]) -> Scope:
        """The scope of the project at `project_root`; nothing is created."""
        return Scope(project_root, config_dir(env) / repo_scope(project_root))

    def create(self) -> None:
        """Make the scope's folders (0700) where they are missing, durably.

        Raises RetryLater if a folder cannot be made, or if the configuration directory or the scope belongs to
        somebody else or may be written by others.
        """
        # From the outside to the inside, each flushed into its parent: what is acknowledged later lies in them.
        for folder in (self.root.parent, self.root, self.daemon_dir, self.runs, self.state, self.logs):
            _make_folder(folder)
        for folder in (self.root.parent, self.root):
            _check_private(folder)

    @property
    def workflow_db(self) -> Path:
        """The database, written by the daemon alone."""
        return self.root / "workflow.db"

    @property
    def core_state(self) -> Path:
        """Whether dispatching is paused, and since when."""
        return self.root / "core-state.json"

    @property
    def core_state_lock(self) -> Path:
        """Held while `core_state` is read and rewritten."""
        return self.root / "core-state.lock"

    @property
    def daemon_dir(self) -> Path:
        """The daemon's own folder."""
        return self.root / "daemon"

    @property
    def daemon_log(self) -> Path:
        """What the daemon logs."""
        return self.daemon_dir / "daemon.log"

    @property
    def daemon_lock(self) -> Path:
        """Held by the one daemon of the scope."""
        return self.daemon_dir / "daemon.lock"

    @property
    def daemon_pid(self) -> Path:
        """The daemon's pid, for display only."""
        return self.daemon_dir / "daemon.pid"

    @property
    def pm_config(self) -> Path:
        """The daemon's settings."""
        return self.daemon_dir / "pm-config.json"

    @property
    def control_socket(self) -> Path:
        """Where the daemon answers; pass it through `check_socket_path` before binding or connecting."""
        return self.root / "control.sock"

    @property
    def agent_runner_socket(self) -> Path:
        """Where the agent-runner answers; pass it through `check_socket_path`, too."""
        return self.root / "agent-runner.sock"

    @property
    def agent_runner_lock(self) -> Path:
        """Held by the one agent-runner of the scope."""
        return self.root / "agent-runner.lock"

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.root / "runs"

    @property
    def state(self) -> Path:
        """A folder that nothing writes to yet."""
        return self.root / "state"

    @property
    def logs(self) -> Path:
        """A folder that nothing writes to yet; a copy of the events is to lie here."""
        return self.root / "logs"

    def run_dir(self, run_id: str) -> RunPaths:
        """The files of a run; raises InvalidInput for what cannot be a run's id (`../x`)."""
        if not _RUN_ID.fullmatch(run_id):
            raise InvalidInput(
                f"{run_id!r} is not the id of a run",
                hint="Ids are letters, digits, '.', '_' and '-', and begin with a letter or digit.",
            )
        return RunPaths(self.runs / run_id)


def _file_name(phase: str) -> str:
    """`phase` as the first part of a file name: different phases have different names, and none leaves the folder."""
    if not phase:
        raise InvalidInput("a phase has an empty id", hint="Give the phase an id.")
    # quote() leaves '.', '_', '-' and '~' alone; the dot ends this part and '~' marks a shortened one.
    name = quote(phase, safe="", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E")
    if len(name) > _LONGEST_NAME_BYTES:
        # Cut names must stay different: 128 bits of the whole id are what is left of it.
        digest = hashlib.sha256(phase.encode(errors="surrogatepass")).hexdigest()
        name = f"{name[: _LONGEST_NAME_BYTES - 33]}~{digest[:32]}"
    return name


def _git_dir(folder: Path) -> Path | None:
    """The Git directory of the worktree whose top is `folder`, or None if it is not one (gitrepository-layout(5))."""
    entry = folder / ".git"
    if os.path.isfile(entry):
        try:
            text = entry.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
        # A file `.git` is a linked worktree or a submodule; anything else of that name is not Git's.
        if not text.startswith("gitdir: "):
            return None
        entry = folder / text.removeprefix("gitdir: ").rstrip("\n")
    # Git asks for HEAD too: an empty folder called `.git` makes no repository.
    return entry if os.path.exists(entry / "HEAD") else None


def _main_worktree(folder: Path, git_dir: Path) -> Path:
    """The main worktree that the worktree at `folder` belongs to, canonical; `folder` where there is none (bare)."""
    try:
        common = (git_dir / "commondir").read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except OSError:
        return folder.resolve()
    common_dir = (git_dir / common).resolve()
    # A bare repository has no main worktree whose folder could be the project: then each worktree is its own.
    return common_dir.parent if common_dir.name == ".git" and common_dir.is_dir() else folder.resolve()


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_directory(path.parent)
        if not folder.is_dir():
            raise NotADirectoryError(0, "it is not a folder")
    except OSError as error:
        raise RetryLater(
            f"{folder}: the folder cannot be made: {error.strerror}",
            hint="Check the folder above it, or set ANIMUS_CONFIG_DIR to another place.",
        ) from error


def _check_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise RetryLater(
            f"{folder}: belongs to user {found.st_uid}, and this process runs as user {os.geteuid()}",
            hint="Run as its owner, or set ANIMUS_CONFIG_DIR to a folder of your own.",
        )
    # Who may write here may put a socket, a lock or a trust record in place of ours.
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise RetryLater(
            f"{folder}: others may write here (mode {stat.S_IMODE(found.st_mode):o})",
            hint=f"chmod go-w {folder}",
        )
