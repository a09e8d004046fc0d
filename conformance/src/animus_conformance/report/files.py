"""Reports as files: each is looked at before the run, and written whole behind it.

Below it lies one module a format.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from animus_conformance.errors import UsageMistake
from animus_conformance.judgement import Report
from animus_conformance.report.badge import as_badge
from animus_conformance.report.document import as_json
from animus_conformance.report.html import as_html
from animus_conformance.report.junit import as_junit

__all__ = ["FORMATS", "require_writable", "write_reports"]

FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "json": as_json,
    "junit": as_junit,
    "html": as_html,
    "badge": as_badge,
}
"""The formats by the names of their options."""


def require_writable(paths: Mapping[str, Path]) -> None:
    """See that every report can be written, by format. Raises UsageMistake."""
    taken: dict[Path, str] = {}
    for name, path in paths.items():
        other = taken.setdefault(path.resolve(), name)
        if other != name:
            raise UsageMistake(f"--{name} and --{other} name the same file: {path}")
        if path.is_dir():
            raise UsageMistake(f"--{name}: {path} cannot be written: it is a folder")
        if _is_replaced(path):
            try:
                with tempfile.TemporaryFile(dir=path.resolve().parent):
                    pass
            except OSError as error:
                raise _unwritable(name, path, error) from error


def write_reports(report: Report, paths: Mapping[str, Path]) -> None:
    """Write each report that has a path, by format. Raises UsageMistake for one that cannot be written."""
    for name, path in paths.items():
        # A lone surrogate of a plugin's text becomes \udXXX, which JSON reads again.
        data = FORMATS[name](report).encode("utf-8", "backslashreplace")
        try:
            if _is_replaced(path):
                _replace(path.resolve(), data)
            else:
                path.write_bytes(data)
        except OSError as error:
            raise _unwritable(name, path, error) from error


def _is_replaced(path: Path) -> bool:
    """Whether it is a file, or will be one; others, such as /dev/stdout or a pipe, are written into."""
    return path.is_file() or not path.exists()


def _replace(target: Path, data: bytes) -> None:
    """Write all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # `mkstemp` makes files that nobody but the user may read.
        Path(name).chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unwritable(name: str, path: Path, error: OSError) -> UsageMistake:
    return UsageMistake(f"--{name}: {path} cannot be written: {error.strerror}")
