"""What a session has done so far, and how it survives the process: one small JSON file a session.

`SessionRecord` becomes the result of a run; `Progress` adds where in the script the session is; `Store` keeps it, after
each step, so that a session outlives its process. Below it lies the file system alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from animus_sdk import InvalidParams, Unavailable

__all__ = ["GatheredResult", "Progress", "Store", "default_state_dir"]

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FORMAT: Final = 1


@dataclass
class GatheredResult:
    """What the result will say, gathered step by step."""

    output: str = ""
    thinking: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    tool_results: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    metadata: list[Any] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    verdict: Any = None
    exit_code: int = 0

    def say(self, text: str) -> None:
        """Add to the answer."""
        self.output += text

    def count_tokens(self, counts: Mapping[str, int]) -> None:
        """Add to the tokens that were used, by their kind."""
        for kind, count in counts.items():
            self.tokens[kind] = self.tokens.get(kind, 0) + count

    def decide(self, verdict: Any) -> None:
        """The verdict of the phase; the last one counts."""
        self.verdict = verdict

    def end_with(self, exit_code: int) -> None:
        """The run is over, with this exit code."""
        self.exit_code = exit_code


@dataclass
class Progress:
    """A session: its first request's facts, how many steps it has completed, which `once` blocks it has started."""

    session_id: str
    facts: dict[str, Any]
    completed: int = 0
    finished: bool = False
    once: list[str] = field(default_factory=list)
    record: GatheredResult = field(default_factory=GatheredResult)

    def complete(self, count: int) -> None:
        """The first `count` steps are done."""
        self.completed = count

    def start_once(self, place: str) -> bool:
        """Note that the `once` block at `place` has started; False where it had before."""
        if place in self.once:
            return False
        self.once.append(place)
        return True

    def finish(self) -> None:
        """The last step is done, or the script has ended the run."""
        self.finished = True

    def resume(self, *, from_the_start: bool) -> None:
        """Go on behind the completed steps, or take the list from its start; a finished session gets a new record."""
        if self.finished:
            self.record = GatheredResult()
        if self.finished or from_the_start:
            self.completed = 0
        self.finished = False
        self.record.end_with(0)


class Store:
    """The sessions of a project, in one directory. Survives the end of any process, not the loss of power.

    Its methods raise Unavailable when the directory cannot be used.
    """

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir

    def load(self, session_id: str) -> Progress | None:
        """The session, or None when there is none. Raises InvalidParams for a file that is not ours."""
        path = self._path(session_id)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("format") != _FORMAT:
                raise ValueError("another format")
            return Progress(**(data | {"record": GatheredResult(**data["record"])}))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidParams(f"{path}: not the state of a session: {error} — remove the file") from error

    def save(self, progress: Progress) -> None:
        """Replace what is kept of this session, all or nothing."""
        text = json.dumps({"format": _FORMAT, **asdict(progress)})
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(self._path(progress.session_id), text.encode())
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> Unavailable:
        return Unavailable(
            f"{self._dir}: no session can be kept there: {error.strerror} — make it a writable directory, make room,"
            " or set ANIMUS_MOCK_STATE_DIR"
        )

    def _path(self, session_id: str) -> Path:
        # An id is any text of the host's: only a plain one may become the name of a file.
        if _PLAIN_ID.fullmatch(session_id):
            return self._dir / f"{session_id}.json"
        return self._dir / f"sha256-{hashlib.sha256(session_id.encode()).hexdigest()}.json"


def default_state_dir(project_root: Path) -> Path:
    """`<tempdir>/animus-mock-<uid>/<hash of the project root>`, the upper part made for this user alone.

    Raises InvalidParams when somebody else owns that name: their files are not to be trusted.
    """
    uid = os.getuid()
    private = Path(tempfile.gettempdir()) / f"animus-mock-{uid}"
    with suppress(FileExistsError):
        private.mkdir(mode=0o700)
    status = private.lstat()
    if not private.is_dir() or private.is_symlink() or status.st_uid != uid:
        raise InvalidParams(f"{private}: not a directory of this user — remove it, or set ANIMUS_MOCK_STATE_DIR")
    return private / hashlib.sha256(str(project_root.resolve()).encode()).hexdigest()[:16]


def write_atomic(path: Path, data: bytes, mode: int | None = None) -> None:
    """Make `path` hold `data`: readers see the old file or the new one. `mode` sets permission bits."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if mode is not None:
            Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
