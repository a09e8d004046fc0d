"""How far each session has come: one small file a session, so that another process can go on with it.

Nothing of ours lies below.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from animus_sdk import NotFound, Unavailable, WireModel, encode
from pydantic import ValidationError

__all__ = ["Progress", "Sessions"]


class Progress(WireModel):
    """The prompt of a session, and how many pieces of the answer were said."""

    prompt: str
    said: int = 0


class Sessions:
    """The files of a folder, which is made with the first one; a session's id may be any text."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, session_id: str) -> Progress:
        """Raises NotFound for a session that never was, Unavailable for one whose file cannot be read."""
        path = self._path(session_id)
        try:
            return Progress.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(f"session {session_id!r}") from None
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{path}: {error}") from error

    def save(self, session_id: str, progress: Progress) -> None:
        """Replace what is known of the session. Raises Unavailable."""
        path = self._path(session_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            draft.write_bytes(encode(progress))
            draft.replace(path)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from error

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(session_id.encode()).hexdigest()}.json"
