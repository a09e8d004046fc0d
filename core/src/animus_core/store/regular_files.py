"""Opens regular files and nothing else: a pipe or a device of the expected name must neither hang nor trigger anything.

For files that others write. Below lies the file system.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader

__all__ = ["open_regular", "read_regular", "read_tail"]


def open_regular(path: str | os.PathLike[str], *, follow: bool = True) -> BufferedReader:
    """Open for reading; links are not followed unless `follow`. Raises OSError, also for what is not a regular file."""
    # NONBLOCK: opening a pipe without a writer would wait. NOCTTY: opening a terminal would take it over.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags)
    try:
        # Asked of the descriptor and not of the path, which may lead elsewhere by now.
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is not a regular file", os.fspath(path))
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def read_regular(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The content of a regular file. Raises OSError, also for one that is larger than `most_bytes`."""
    with open_regular(path) as file:
        # One byte more than allowed tells that there are more; the size that `stat` says may be out of date.
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(0, f"it is larger than {most_bytes} bytes", os.fspath(path))
    return content


def read_tail(path: str | os.PathLike[str], most_bytes: int, *, unreadable: str) -> str:
    """The last bytes of a regular file as text, or `unreadable` where there is no such file or it cannot be read.

    What is not UTF-8 (also a character that is cut) is replaced.
    """
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most_bytes))
            return file.read(most_bytes).decode(errors="replace")
    except OSError:
        return unreadable
