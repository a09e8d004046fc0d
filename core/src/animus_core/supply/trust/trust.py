"""Trust in a repository: per canonical project root and per content of everything that is executed under `.animus/`.

Below lie `coverage.py` (what is covered), `store.py` (what was trusted) and `diff.py` (how they differ). A repository
can be hostile and agents edit it, so whatever is unclear is not trusted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from animus_core.errors import TRUST_HINT, AnimusError, Conflict, InvalidInput, NotTrusted
from animus_core.supply.trust.coverage import FOLDER, Bounds, Entry, Reader, Survey, digest_of, survey
from animus_core.supply.trust.diff import Change, changes_between, unified_diff
from animus_core.supply.trust.store import Mode, Stored, TrustStore

__all__ = [
    "FIX_HINT",
    "FOLDER",
    "Change",
    "Mode",
    "Trust",
    "TrustCheck",
    "diff",
    "grant",
    "inspect",
    "is_trusted",
    "named",
    "revoke",
]

_T = TypeVar("_T")
_log: Final = logging.getLogger("animus.trust")
_TURNS: Final = 5  # an editor that saves is done by then; what changes without pause is not waited for
_NAMED: Final = 3
_NAME_CHARS: Final = 100
FIX_HINT: Final = "Fix or remove that, then: animus trust"
_BY_ITSELF: Final = "every change is trusted (mode auto)"


class Trust(NamedTuple):
    """Whether a repository is trusted as it is now. `reason` is for people: why not, or on what grounds.

    `digest` names the content that was looked at; `changes` lead from what was trusted last to it. `known`: something
    of this repository was trusted before, and not taken back. `grantable`: it can be trusted as it is now.
    """

    root: Path
    trusted: bool
    mode: Mode
    digest: str
    changes: tuple[Change, ...]
    reason: str
    known: bool
    grantable: bool


class _View(NamedTuple):
    """The folder and the store at one moment."""

    trust: Trust
    before: list[Entry]
    now: list[Entry]


def is_trusted(config_dir: Path, project_root: Path) -> bool:
    """Whether what `.animus/` has now may be executed. Reads all of it; nothing is written. Never raises."""
    return inspect(config_dir, project_root).trusted


def inspect(config_dir: Path, root: Path, *, bounds: Bounds | None = None) -> Trust:
    """How things are now. Nothing is written, and nothing in the repository can make it fail."""
    return _view(config_dir, root, bounds or Bounds()).trust


def diff(config_dir: Path, root: Path, *, of_digest: str | None = None) -> str:
    """The changes since the last trust as a bounded unified diff, fit for a terminal.

    Raises Conflict if the content is no longer the one with the digest `of_digest`.
    """
    view = _view(config_dir, root, Bounds())
    _expect(view.trust, of_digest)
    return unified_diff(view.before, view.now)


def grant(
    config_dir: Path,
    root: Path,
    *,
    mode: Mode | None = None,
    expected_digest: str | None = None,
    bounds: Bounds | None = None,
) -> Trust:
    """Trust what is there now; `mode` None keeps the mode. Durable when this returns.

    Raises Conflict if the content is not the one with `expected_digest`, InvalidInput if it cannot be trusted at all
    (unreadable, too much, or the configuration directory lies in the repository), RetryLater if it cannot be kept.
    """
    store = TrustStore(config_dir, root.resolve())
    with store.locked():
        # Looked at under the lock and compared with what was shown: what came in between is not trusted with it.
        view = _view(config_dir, root, bounds or Bounds())
        _expect(view.trust, expected_digest)
        if not view.trust.grantable:
            raise InvalidInput(f"{root}: {view.trust.reason}", hint=FIX_HINT)
        store.write(view.now, mode or view.trust.mode)
    # Looked at once more: a file that changed while the record was written is not trusted.
    return inspect(config_dir, root, bounds=bounds)


def revoke(config_dir: Path, root: Path) -> bool:
    """Trust nothing of this repository any more, whatever it becomes; whether it was trusted before."""
    store = TrustStore(config_dir, root.resolve())
    with store.locked():
        return store.remove()


class _Seen(NamedTuple):
    """What a check saw: as long as `survey` stays equal, no file has changed. `hashes` are those of all contents."""

    trust: Trust
    survey: Survey
    hashes: frozenset[str]

    def holds(self, later: _Seen) -> bool:
        """Whether nothing has changed between this moment and a later one."""
        return later.trust.trusted == self.trust.trusted and later.survey == self.survey and later.hashes == self.hashes


class TrustCheck:
    """A daemon's trust check of its project: cheap while nothing changes. Several threads may call it; it blocks."""

    def __init__(self, config_dir: Path, root: Path, *, bounds: Bounds | None = None) -> None:
        self._root = root.resolve()
        self._bounds = bounds or Bounds()
        self._store = TrustStore(config_dir, self._root)
        self._reader = Reader(self._bounds)
        self._stored: tuple[tuple[int, ...], Stored] | None = None
        self._lock = threading.Lock()

    def check(self) -> Trust:
        """How things are now. In the mode `auto` new content is recorded as trusted, with a line in the log."""
        return self._survey().trust

    def load(self, read: Callable[[], _T], hashes: Callable[[_T], Iterable[str]] = lambda _: ()) -> _T:
        """What `read` makes of the files, all of which were trusted and did not change meanwhile.

        `hashes` gives the SHA-256 of everything that went into it, each of which must be that of a trusted file. Raises
        NotTrusted when the files are not trusted, or change each time they are read; and whatever `read` raises.
        """
        for _ in range(_TURNS):
            before = self._survey()
            if not before.trust.trusted:
                raise NotTrusted(before.trust.reason, hint=TRUST_HINT)
            try:
                value = read()
            except AnimusError:
                # What is wrong with files that changed meanwhile says nothing about the trusted ones.
                if before.holds(self._survey()):
                    raise
                continue
            if before.holds(self._survey()):
                # No file changed, and yet something outside of trust may have been read (a prompt in `tasks/`).
                if before.hashes.issuperset(hashes(value)):
                    return value
                raise NotTrusted("something was read that trust does not cover", hint=TRUST_HINT)
        raise NotTrusted(f"{FOLDER}/ changes without pause while it is read", hint=TRUST_HINT)

    def _survey(self) -> _Seen:
        # Several threads ask; the reader's memory of contents serves one survey at a time.
        with self._lock:
            found = survey(self._root, self._bounds)
            now, problems = self._reader.read(found.found)
            trust = _judge(self._root, self._read_store(), now, (*found.problems, *problems))
            if trust.trusted and trust.mode == "auto" and trust.changes:
                self._record(now, trust)
                trust = trust._replace(changes=(), reason=_BY_ITSELF)
            return _Seen(trust, found, frozenset(entry.sha256 for entry in now))

    def _read_store(self) -> Stored:
        signature = self._store.signature()
        if self._stored is None or not signature or self._stored[0] != signature:
            self._stored = (signature, self._store.read())
        return self._stored[1]

    def _record(self, now: list[Entry], trust: Trust) -> None:
        try:
            with self._store.locked():
                # The operator may have taken the mode back since it was read.
                record = self._store.read().record
                if record is None or record.mode != "auto":
                    return
                self._store.write(now, "auto")
        except AnimusError as error:
            # Trusted all the same: the operator has decided so, and the record is for showing the next change.
            _log.warning("a change is trusted (mode auto), and that cannot be recorded: %s", error)
        else:
            _log.info("trusted automatically: %s", named(trust.changes))


def named(changes: tuple[Change, ...]) -> str:
    """The changes in one line for people: the first few, and how many more."""
    first = ", ".join(f"{FOLDER}/{_short(change.path)} ({_short(change.what)})" for change in changes[:_NAMED])
    more = len(changes) - _NAMED
    return f"{first} and {more} more" if more > 0 else first


def _short(text: str) -> str:
    return text if len(text) <= _NAME_CHARS else f"{text[: _NAME_CHARS - 1]}…"


def _view(config_dir: Path, root: Path, bounds: Bounds) -> _View:
    root = root.resolve()
    stored = TrustStore(config_dir, root).read()
    found = survey(root, bounds)
    now, problems = Reader(bounds).read(found.found)
    trust = _judge(root, stored, now, (*found.problems, *problems))
    return _View(trust, stored.record.entries() if stored.record else [], now)


def _judge(root: Path, stored: Stored, now: list[Entry], problems: tuple[str, ...]) -> Trust:
    record = stored.record
    digest = digest_of(now)
    same = record is not None and digest == record.digest
    changes = () if same else tuple(changes_between(record.entries() if record else [], now))
    # First of all: what could not be read or was not looked at cannot be trusted in any mode.
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        trusted, reason = False, f"{problems[0]}{more}"
    elif not now:
        trusted, reason = True, f"nothing under {FOLDER}/ is executed"
    elif record is None:
        trusted, reason = False, stored.problem or f"{FOLDER}/ of this repository was never trusted"
    elif same:
        trusted, reason = True, f"trusted at {record.trusted_at}"
    elif record.mode == "auto":
        trusted, reason = True, _BY_ITSELF
    else:
        trusted, reason = False, f"changed since it was trusted: {named(changes)}"
    return Trust(
        root=root,
        trusted=trusted,
        mode=record.mode if record else "ask",
        digest=digest,
        changes=changes,
        reason=reason,
        known=record is not None,
        grantable=not problems,
    )


def _expect(trust: Trust, digest: str | None) -> None:
    if digest is not None and trust.digest != digest:
        raise Conflict(
            f"{trust.root}: {FOLDER}/ has changed since it was shown", hint="Look at it again: animus trust --show"
        )
