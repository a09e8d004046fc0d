"""The folder of task files: reading with a cache, and every change under the folder's lock.

Below lie `task.py` (meaning), `patch.py` (changes), `write.py` (writing) and `lock.py`. One object serves many threads.
What people broke is kept beside what is whole: a file that cannot be read never hides another one.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from animus_sdk import InvalidParams, NotFound, SubjectCreateParams, SubjectPatch, Unavailable
from animus_subject_files import write
from animus_subject_files.front_matter import FrontMatterError
from animus_subject_files.leftovers import clean_up
from animus_subject_files.lock import FolderLock
from animus_subject_files.names import SUFFIX, id_problem, number_of, numbered
from animus_subject_files.patch import MAX_FILE_BYTES, new_file, patching, utc_now
from animus_subject_files.task import Task, read_task
from animus_subject_files.timings import FolderTimings

__all__ = ["Broken", "Scan", "TaskFolder"]

# A file that was written less than this before it was read may be written again with the same time: the clock of file
# times ticks coarsely.
_RACY_NS: Final = 100_000_000
_OWNER_MAY_WRITE: Final = stat.S_IWUSR

_log = logging.getLogger("animus_subject_files")

_Version = tuple[int, int, int, int]
"""Inode, mtime, ctime (both ns) and size: another version of a file differs in one of them."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is no task: `message` says which, where, what is wrong and what to do."""

    message: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The whole folder at one moment: tasks by id, broken files by the id that they would have."""

    tasks: dict[str, Task]
    broken: dict[str, Broken]


@dataclass(frozen=True, slots=True)
class _Cached:
    version: _Version
    result: Task | Broken
    read_at_ns: int

    def answers(self, version: _Version) -> bool:
        """Whether the file is sure to be the one that was read: the clock of file times ticks coarsely."""
        return self.version == version and self.read_at_ns - version[2] > _RACY_NS


class TaskFolder:
    """`.animus/tasks` of one project. All methods block; `open` comes first."""

    def __init__(
        self,
        project_root: Path,
        timings: FolderTimings = FolderTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self._root = project_root
        self._timings = timings
        self.path: Final = project_root / ".animus" / "tasks"
        self._cache: dict[str, _Cached] = {}
        self._reported: dict[str, _Version | None] = {}
        self._guard = threading.Lock()

    def open(self) -> None:
        """Make the folder if it is missing, and clear up after a crash. Raises InvalidParams."""
        try:
            self.make()
            with FolderLock(self.path, self._timings.clean_up_s):
                clean_up(self.path)
        except Unavailable:
            _log.info("%s: another process works here and clears up itself", self.path)
        except OSError as error:
            raise InvalidParams(f"{self.path}: {error.strerror} - it must be a folder that can be written") from error

    def make(self) -> None:
        """Make the folder if it is missing. Raises InvalidParams when it leads out of the project, and OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.path.resolve().is_relative_to(self._root.resolve()):
            raise InvalidParams(f"{self.path}: it leads out of the project - replace the symbolic link with a folder")

    def scan(self) -> Scan:
        """Read what changed since the last time; broken files are logged once a version."""
        tasks: dict[str, Task] = {}
        broken: dict[str, Broken] = {}
        with self._guard:
            for name, result in self._read_all():
                if isinstance(result, Task):
                    tasks[result.subject.id] = result
                else:
                    broken[_shown(name.removesuffix(SUFFIX))] = result
        return Scan(tasks, broken)

    def get(self, task_id: str) -> Task:
        """One task. Raises NotFound, and InvalidParams for an impossible id or a broken file."""
        path = self._path_of(task_id)
        with self._guard:
            result = self._read(path.name)
        if isinstance(result, Broken):
            result = self._read_again(path)
        if result is None:
            raise NotFound(f"task {task_id}")
        if isinstance(result, Broken):
            raise InvalidParams(result.message)
        return result

    def create(self, request: SubjectCreateParams) -> Task:
        """A new file under the next free number. Raises InvalidParams and Unavailable."""
        try:
            content = new_file(request, utc_now())
        except FrontMatterError as error:
            raise InvalidParams(f"this task cannot be written as front matter: {error.problem}") from None
        self.make()
        with FolderLock(self.path, self._timings.lock_s) as lock:
            number = max([lock.highest, *(number_of(name.removesuffix(SUFFIX)) for name in os.listdir(self.path))])
            while True:
                number += 1
                path = self.path / (numbered(number) + SUFFIX)
                try:
                    lock.highest = number  # first: without room for it there is no task either
                    write.create(path, content)
                except FileExistsError:
                    continue
                except OSError as error:
                    raise _unwritable(path, error) from error
                return read_task(numbered(number), content, path.stat(follow_symlinks=False))

    def update(self, task_id: str, patch: SubjectPatch) -> Task:
        """Change what `patch` names. Raises NotFound, InvalidParams and Unavailable; then the file is as it was."""
        path = self._path_of(task_id)
        change = patching(patch, utc_now())
        try:
            times = path.stat(follow_symlinks=False)
            problem = _kind_problem(times) or _write_problem(times)
            if problem:
                raise InvalidParams(self._message(path.name, 1, problem))

            def checked_change(content: bytes) -> bytes:
                read_task(task_id, content, times)
                return change(content)

            with FolderLock(self.path, self._timings.lock_s):
                content = write.replace(
                    path, checked_change, lambda merged: read_task(task_id, merged, times), self._timings
                )
                return read_task(task_id, content, path.stat(follow_symlinks=False))
        except FrontMatterError as error:
            raise InvalidParams(self._message(path.name, error.line, error.problem)) from None
        except FileNotFoundError:
            raise NotFound(f"task {task_id}") from None
        except OSError as error:
            raise _unwritable(path, error) from error

    def delete(self, task_id: str) -> None:
        """Delete the file, also one that is broken. Raises NotFound, InvalidParams and Unavailable."""
        path = self._path_of(task_id)
        try:
            if stat.S_ISDIR(path.stat(follow_symlinks=False).st_mode):
                raise InvalidParams(self._message(path.name, 1, "a folder - remove it by hand"))
            with FolderLock(self.path, self._timings.lock_s) as lock:
                # First: a crash after the deletion could otherwise give the number to another task.
                lock.highest = max(lock.highest, number_of(task_id))
                write.remove(path)
        except FileNotFoundError:
            raise NotFound(f"task {task_id}") from None
        except OSError as error:
            raise _unwritable(path, error) from error

    def _path_of(self, task_id: str) -> Path:
        problem = id_problem(task_id)
        if problem:
            raise InvalidParams(f"id {task_id[:80]!r}: {problem} - use the file's name without {SUFFIX}")
        return self.path / (task_id + SUFFIX)

    def _read_all(self) -> Iterator[tuple[str, Task | Broken]]:
        try:
            with os.scandir(self.path) as entries:
                names = [entry.name for entry in entries if _is_task_name(entry.name)]
        except FileNotFoundError:
            names = []
        for gone in self._cache.keys() - set(names):
            del self._cache[gone]
        for name in names:
            result = self._read(name)
            if result is not None:
                yield name, result

    def _read(self, name: str) -> Task | Broken | None:
        """What the file is now, None when there is none."""
        path = self.path / name
        try:
            times = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        version = _version(times)
        cached = self._cache.get(name)
        if cached is None or not cached.answers(version):
            # Before the reading: whatever is written during it counts as later.
            read_at_ns = time.time_ns()
            try:
                result = self._read_file(path, times)
            except FileNotFoundError:
                return None
            cached = self._cache[name] = _Cached(version, result, read_at_ns)
        if isinstance(cached.result, Broken) and self._reported.get(name) != version:
            self._reported[name] = version
            _log.warning("%s", cached.result.message)
        return cached.result

    def _read_again(self, path: Path) -> Task | Broken | None:
        """A broken file may be one that somebody is just saving: wait for them, then look once more."""
        try:
            times = path.stat(follow_symlinks=False)
            if _kind_problem(times) is None:
                write.read_settled(path, self._timings)
            return self._read_file(path, times)
        except FileNotFoundError:
            return None

    def _read_file(self, path: Path, times: os.stat_result) -> Task | Broken:
        stem = path.name.removesuffix(SUFFIX)
        problem = id_problem(stem)
        if problem:
            return Broken(
                self._message(path.name, 1, f"as an id this name cannot be used: {problem} - rename the file")
            )
        problem = _kind_problem(times)
        if problem:
            return Broken(self._message(path.name, 1, problem))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                return read_task(stem, file.read(MAX_FILE_BYTES + 1), os.fstat(fd))
        except FrontMatterError as error:
            return Broken(self._message(path.name, error.line, error.problem))
        except FileNotFoundError:
            raise
        except OSError as error:
            return Broken(self._message(path.name, 1, f"cannot be read ({error.strerror}) - correct its permissions"))

    def _message(self, name: str, line: int, problem: str) -> str:
        return f".animus/tasks/{_shown(name)}:{line}: {problem}"


def _version(times: os.stat_result) -> _Version:
    return times.st_ino, times.st_mtime_ns, times.st_ctime_ns, times.st_size


def _is_task_name(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _shown(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path}: it cannot be written: {error.strerror} - make room or fix the folder, then retry")


def _kind_problem(times: os.stat_result) -> str | None:
    if stat.S_ISLNK(times.st_mode):
        return "a symbolic link - put the file itself here"
    if not stat.S_ISREG(times.st_mode):
        return "not a file - rename or remove it"
    if times.st_size > MAX_FILE_BYTES:
        return f"{times.st_size} bytes, at most {MAX_FILE_BYTES} - move text elsewhere"
    return None


def _write_problem(times: os.stat_result) -> str | None:
    # To swap a file one needs the folder's permission alone, so the kernel would not protect it.
    return None if times.st_mode & _OWNER_MAY_WRITE else "write-protected, so it is left alone - make it writable"
