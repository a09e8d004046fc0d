"""The subjects' file: read whole, replaced whole, by one process at a time.

Nothing of ours lies below. A reader never sees half a file, and what `change` has returned is on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from animus_sdk import FileLock, Subject, Unavailable, WireModel, encode
from pydantic import Field, ValidationError

__all__ = ["Contents", "Store"]

# A change takes milliseconds: whoever holds the lock for so long hangs, and the host should hear of it.
_LOCK_WAIT_S: Final = 5.0


class Contents(WireModel):
    """What the file holds: the subjects by their ids, and the number that the next one gets."""

    next_number: int = 1
    subjects: Mapping[str, Subject] = Field(default_factory=dict)

    def with_subject(self, subject: Subject) -> Contents:
        """These, with `subject` added, or in the place of what it was before."""
        return self.model_copy(update={"subjects": {**self.subjects, subject.id: subject}})

    def without(self, subject_id: str) -> Contents:
        """These, without the subject; its number is not given again."""
        left = {id: subject for id, subject in self.subjects.items() if id != subject_id}
        return self.model_copy(update={"subjects": left})


class Store:
    """One file; its folder is made when the first subject is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Contents:
        """What is in the file; nothing where there is none. Raises Unavailable for one that cannot be read."""
        try:
            return Contents.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Contents()
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{self._path}: {error}; fix the file, or take it away") from error

    def change(self, edit: Callable[[Contents], Contents]) -> Contents:
        """Replace the file by what `edit` makes of it, and return that. What `edit` raises leaves all as it was.

        Raises Unavailable when another process holds the lock for too long, or the disk fails.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock"), wait_s=_LOCK_WAIT_S):
                after = edit(self.read())
                self._replace(encode(after))
                return after
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from error

    def _replace(self, content: bytes) -> None:
        """A rename is seen as a whole or not at all; both the file and its name are on the disk at the end."""
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
