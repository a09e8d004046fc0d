"""The fingerprint of a command: a hash over everything that is executed when it is run.

It blocks, so it is called in a thread; below lies `fingerprint_files.py`. A program in a virtual environment counts
with the whole environment and its interpreter, any other one with the files that its command names. What an interpreter
brings along itself (its standard library) counts by its version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import site
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from animus_core.errors import RetryLater
from animus_core.store.process_group import signal_group
from animus_core.store.regular_files import open_regular, read_regular
from animus_core.supply.lock.fingerprint_files import FingerprintBounds, Item, KnownHashes, walk
from animus_core.terminal import escape_unprintable

__all__ = ["Fingerprint", "changes", "fingerprint"]

_FORMAT: Final = "animus-fingerprint-1"
_SHORT: Final = 16  # hex digits that name a change to people; the whole digest decides
_MOST_HOPS: Final = 40  # as many links as Linux follows itself (path_resolution(7))
_SHEBANG_BYTES: Final = 4096
_EDITABLE: Final = os.sep + "direct_url.json"
_EDITABLE_BYTES: Final = 1 << 16
_MOST_SOURCES: Final = 5000
_NEUTRAL: Final = "/"  # no folder in which a stranger could put something that is found first
_INTERPRETER: Final = "its interpreter"


class Fingerprint(NamedTuple):
    """`digest` decides. `kind`: venv, files, environment (a cheap key for the core's own environment).

    `interpreter`: real path of a virtual environment's interpreter. `files`: path → short hash, for telling what
    changed. `editable`: code outside is executed too, which the digest does not notice (in the core's own environment
    it does, by time and size).
    """

    digest: str
    kind: str
    interpreter: str | None
    files: Mapping[str, str]
    editable: bool = False


def fingerprint(
    command: Sequence[str],
    cache: Path | None = None,
    *,
    cwd: str | None = None,
    interpreter: str | None = None,
    bounds: FingerprintBounds = FingerprintBounds(),  # noqa: B008 - a tuple of constants
) -> Fingerprint:
    """Hash what `command` executes. Blocking. Without a `cache` folder every file is read.

    Relative parts are looked up from `cwd` (else from /). An environment's interpreter is asked for its version; when
    `interpreter` names its real path, any other one is not run. Raises RetryLater for a program that is not there or
    cannot be read.
    """
    # One cache file for each command: two installed plugins must not throw each other's hashes out.
    known = hashlib.sha256(json.dumps([*command, cwd]).encode()).hexdigest()[:32] if cache is not None else ""
    hashes = KnownHashes(cache / f"{known}.json" if cache is not None else None, bounds)
    coverage = _Coverage(hashes, interpreter, bounds)
    files = [_program(command[0], cwd or _NEUTRAL), *_arguments(command[1:], cwd or _NEUTRAL)]
    try:
        for path in files:
            for program in (path, _shebang(path)):
                environment = _environment_of(program) if program else None
                if environment is not None:
                    coverage.environment(environment)
                elif program and program != path:
                    coverage.shebang(program)
        for path in files:
            coverage.file(path)
    except OSError as error:
        raise RetryLater(
            f"{error.filename}: cannot be read: {error.strerror}", hint="Make it readable, or install it again."
        ) from error
    coverage.hashes.save()
    return coverage.result(command)


def changes(recorded: Mapping[str, str], now: Mapping[str, str], *, most: int = 5) -> list[str]:
    """Names of files that were added, removed or changed; the last says how many more when there are over `most`."""
    found = [path if path in recorded else f"{path} (added)" for path in now if recorded.get(path) != now[path]]
    found += [f"{path} (removed)" for path in recorded if path not in now]
    found.sort(key=lambda text: ("__pycache__" in text, text))  # compiled files follow from their sources
    return found if len(found) <= most else [*found[:most], f"{len(found) - most} more"]


class _Coverage:
    """What is covered so far: `records` go into the digest, in order."""

    def __init__(self, hashes: KnownHashes, expected: str | None, bounds: FingerprintBounds) -> None:
        self.hashes = hashes
        self._bounds = bounds
        self.records: list[list[str]] = []
        self._expected = expected
        self._files: dict[str, str] = {}
        self._environments: dict[str, bool] = {}
        self._interpreter: str | None = None
        self._editable = False

    def environment(self, root: str) -> None:
        """Cover a virtual environment, once. The core's own is known by what is installed in it."""
        if root in self._environments:
            return
        own = os.path.realpath(root) == os.path.realpath(sys.prefix)
        prefix = "" if not self._environments else root + os.sep
        self._environments[root] = own
        if own:
            self._own_environment()
            return
        items = sorted(walk(root, self.hashes, self._bounds.files))
        for item in items:
            self._add(prefix + item.path, item)
            if item.path.endswith(_EDITABLE):
                self._editable = self._editable or _is_editable(os.path.join(root, item.path))
        self._ask_interpreter(root)

    def shebang(self, program: str) -> None:
        """Cover the choice of a script's interpreter, not what is in it."""
        real = os.path.realpath(program)
        self.records.append(["shebang", real])
        self._files[f"{_INTERPRETER} {escape_unprintable(real)}"] = ""

    def file(self, path: str) -> None:
        """Cover a file that the command names, unless it lies in an environment that is covered."""
        if any(path.startswith(root + os.sep) for root, own in self._environments.items() if not own):
            return
        real = os.path.realpath(path)
        stat_result = os.stat(real)
        kind = "program" if stat_result.st_mode & 0o111 else "file"
        self._add(real, Item(path, kind, real, self.hashes.sha256(real, stat_result)))

    def result(self, command: Sequence[str]) -> Fingerprint:
        """The fingerprint of all that."""
        kind = "files"
        if self._environments:
            kind = "environment" if all(self._environments.values()) else "venv"
        content = json.dumps([_FORMAT, list(command), self.records]).encode()
        return Fingerprint(hashlib.sha256(content).hexdigest(), kind, self._interpreter, self._files, self._editable)

    def _add(self, name: str, item: Item) -> None:
        self.records.append([name, *item])
        words = [item.kind] if item.kind in ("program", "special") else []
        words += [f"-> {escape_unprintable(item.target)}"] if item.kind == "link" else []
        self._files[escape_unprintable(name)] = " ".join([*words, item.sha256[:_SHORT]]).rstrip()

    def _own_environment(self) -> None:
        self.records.append(["python", sys.version, os.path.realpath(sys.executable)])
        self._files[f"{_INTERPRETER} {escape_unprintable(sys.prefix)}"] = escape_unprintable(sys.version)
        places = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
        for place in sorted({place for place in places if os.path.isdir(place)}):
            with os.scandir(place) as entries:
                found = sorted((entry.name, entry) for entry in entries if entry.name.endswith(".dist-info"))
            for name, entry in found:
                # Names and times, no contents: whoever installs into our own environment is trusted as we are.
                self.records.append(["installed", name, str(entry.stat().st_mtime_ns)])
                if _is_editable(entry.path + _EDITABLE):
                    sources = _sources_of(entry.path + _EDITABLE)
                    self._editable = self._editable or sources is None
                    self.records.append(["sources", sources or ""])

    def _ask_interpreter(self, root: str) -> None:
        names = (os.path.join(root, "bin", name) for name in ("python", "python3"))
        path = next((name for name in names if os.path.lexists(name)), None)
        if path is None:
            return
        real = os.path.realpath(path)
        self._interpreter = self._interpreter or real
        sha256 = version = ""
        with contextlib.suppress(FileNotFoundError):
            stat_result = os.stat(real)
            if stat.S_ISREG(stat_result.st_mode):
                sha256 = self.hashes.sha256(real, stat_result)
                # One that lies in the environment is covered with all that makes up its version.
                # To ask it would be to execute it: another one in its place is reported as a change instead.
                if self._expected in (None, real) and not real.startswith(os.path.realpath(root) + os.sep):
                    ask_s = self._bounds.ask_s
                    version = self.hashes.remember(real, stat_result, lambda: _version(real, ask_s), "version of ")
        self.records.append(["interpreter", real, sha256, version])
        self._files[f"{_INTERPRETER} {escape_unprintable(real)}"] = (
            f"{sha256[:_SHORT]} {escape_unprintable(version)}".rstrip()
        )


def _program(program: str, cwd: str) -> str:
    """The absolute path of what is run; links are not followed. Raises RetryLater when it cannot be run."""
    path: str | None = os.path.normpath(os.path.join(cwd, program)) if os.sep in program else shutil.which(program)
    why = "" if path is not None else "there is no such program in PATH"
    if path is not None:
        try:
            mode = os.stat(path).st_mode
            if not stat.S_ISREG(mode):
                why = "it is not a regular file"
            elif not os.access(path, os.X_OK):
                why = "it may not be executed"
        except OSError as error:
            why = error.strerror or str(error)
        except ValueError:
            why = "a path cannot have a NUL byte in it"
    if path is None or why:
        raise RetryLater(
            f"cannot be started: {escape_unprintable(program)}: {why}", hint="Fix its path, or install it again."
        )
    return os.path.abspath(path)


def _arguments(arguments: Sequence[str], cwd: str) -> list[str]:
    """The arguments that are files: a script after its interpreter."""
    found = []
    for argument in arguments:
        path = os.path.normpath(os.path.join(cwd, argument))
        with contextlib.suppress(OSError, ValueError):
            if stat.S_ISREG(os.stat(path).st_mode):
                found.append(path)
    return found


def _environment_of(program: str) -> str | None:
    """The virtual environment that a program lies in, or that a link to it lies in; or the core's own environment."""
    path = program
    for _ in range(_MOST_HOPS):
        for folder in Path(path).parents:
            if os.path.isfile(folder / "pyvenv.cfg"):
                return str(folder)
        if not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    if sys.prefix == sys.base_prefix and os.path.realpath(program) == os.path.realpath(sys.executable):
        return sys.prefix  # no virtual environment at all, and the same interpreter
    return None


def _shebang(path: str) -> str | None:
    """The program that the kernel runs a script with, through `env` too; None for what is no script."""
    with open_regular(path) as file:
        head = file.read(_SHEBANG_BYTES)
    if not head.startswith(b"#!"):
        return None
    words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
    if words and os.path.basename(words[0]) == "env":
        # `env -S` and `NAME=VALUE` stand before the program.
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        return shutil.which(words[0]) if words else None
    return os.path.normpath(words[0]) if words and os.path.isabs(words[0]) else None


def _is_editable(path: str) -> bool:
    """Whether this is the note of an installer that code is executed where its author works on it."""
    try:
        noted = json.loads(read_regular(path, _EDITABLE_BYTES))
        return bool(noted["dir_info"]["editable"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _sources_of(path: str) -> str | None:
    """A digest of when and how the modules last changed that an editable installation uses; None if it cannot tell."""
    try:
        url = str(json.loads(read_regular(path, _EDITABLE_BYTES))["url"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    project = Path(unquote(urlsplit(url).path))
    found = []
    for folder, folders, files in os.walk(project / "src" if (project / "src").is_dir() else project):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        for name in sorted(files):
            if name.endswith((".py", ".so")):
                with contextlib.suppress(FileNotFoundError):  # its author works on it
                    stat_result = os.stat(os.path.join(folder, name))
                    found.append([folder, name, stat_result.st_size, stat_result.st_mtime_ns, stat_result.st_ino])
        # Too much to look at for each start: then it is asked for its manifest each time.
        if len(found) > _MOST_SOURCES:
            return None
    return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else None


def _version(interpreter: str, ask_s: float) -> str:
    """What an interpreter says its version is; empty when it does not answer within `ask_s`."""
    try:
        process = subprocess.Popen(
            [interpreter, "-I", "-S", "-c", "import sys; print(sys.version)"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Nothing that could change what it imports or prints; -I and -S are there for the same reason.
            env={},
            cwd=_NEUTRAL,
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            output = process.communicate(timeout=ask_s)[0]
        except subprocess.TimeoutExpired:
            output = b""
        finally:
            # The whole group: what claims to be an interpreter may have started something.
            signal_group(process.pid, signal.SIGKILL)
    return " ".join(output.decode(errors="replace").split()) if process.returncode == 0 else ""
