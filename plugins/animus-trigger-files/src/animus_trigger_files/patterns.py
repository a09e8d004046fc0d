"""Which files a trigger is about: `paths` and `ignore` as one decision about a path.

Below it lies `globs.py`. Paths are relative to the project's root, with `/` between names; the root itself is the empty
text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from animus_sdk import InvalidParams
from animus_trigger_files.globs import ANY_DEPTH, GlobError, glob_regex, is_glob, name_regex

__all__ = ["Selection", "is_inside"]

# `4913` is the file with which Vim tries out whether it may write in a folder.
_PASSED_OVER: Final = (
    *(".git", ".hg", ".svn", ".DS_Store"),
    *("*~", ".*.sw?", ".#*", "[#]*[#]", "4913", ".goutputstream-*", ".~lock.*[#]", "*___jb_tmp___", "*___jb_old___"),
)
"""Names of version control and of editors' temporary files, wherever they lie behind a pattern's literal beginning."""


def _compiled(expressions: Iterable[str]) -> re.Pattern[str]:
    """Matches what one of `expressions` matches, and everything below it; without any it matches nothing."""
    any_of = "|".join(expressions)
    return re.compile(f"(?:{any_of})(?:/.*)?" if any_of else "(?!)", re.DOTALL)


_PASSED_OVER_BELOW: Final = _compiled(f"(?:.*/)?{name_regex(name)}" for name in _PASSED_OVER)


class _Pattern:
    """One entry of `paths`: a literal beginning, and the glob behind it.

    Without a glob it is a file, or a folder with everything in it.
    """

    def __init__(self, names: Sequence[str]) -> None:
        literal = next((index for index, name in enumerate(names) if is_glob(name)), len(names))
        self.base: Final = "/".join(names[:literal])
        rest = names[literal:]
        self._rest = re.compile(glob_regex(rest), re.DOTALL) if rest else None
        self._until_any_depth = [re.compile(name_regex(name), re.DOTALL) for name in _before_any_depth(rest)]
        self._has_any_depth = len(self._until_any_depth) < len(rest)

    def selects(self, path: str) -> bool:
        below = _below(self.base, path)
        if below is None or _PASSED_OVER_BELOW.fullmatch(below):
            return False
        return self._rest is None or (below != "" and self._rest.fullmatch(below) is not None)

    def enters(self, folder: str) -> bool:
        below = _below(self.base, folder)
        if not below:
            return below is not None or self.names(folder)
        if _PASSED_OVER_BELOW.fullmatch(below):
            return False
        names = below.split("/")
        fits = all(regex.fullmatch(name) for regex, name in zip(self._until_any_depth, names, strict=False))
        return self._rest is None or (fits and (self._has_any_depth or len(names) < len(self._until_any_depth)))

    def names(self, path: str) -> bool:
        return _below(path, self.base) is not None


def _before_any_depth(names: Sequence[str]) -> Sequence[str]:
    return names[: names.index(ANY_DEPTH)] if ANY_DEPTH in names else names


def _below(base: str, path: str) -> str | None:
    """What of `path` lies behind `base`: empty for `base` itself, None when it is not below."""
    if not base or path == base:
        return path if not base else ""
    return path[len(base) + 1 :] if path.startswith(f"{base}/") else None


class Selection:
    """The files of one trigger. Raises InvalidParams that names `where` and the entry.

    `excluded` is a folder that is never looked into: the one that holds our own state, when it lies in the project. A
    scan that meets more than `max_files` of them refuses to go on.
    """

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        ignore: Sequence[str],
        *,
        excluded: str | None = None,
        where: str = "",
        max_files: int = 200_000,
    ) -> None:
        self.paths: Final = tuple(paths)
        self.ignore: Final = tuple(ignore)
        self.max_files: Final = max_files
        self._excluded = excluded
        self._patterns = [_pattern(root, text, f"{where}paths[{index}]") for index, text in enumerate(paths)]
        ignored = [_ignored(root, text, f"{where}ignore[{index}]") for index, text in enumerate(ignore)]
        self._ignored = _compiled(ignored)
        # `build/**` ignores all that is in the folder: then the folder itself need not be entered either.
        self._ignored_folders = _compiled(
            expression.removesuffix(f"/{glob_regex([ANY_DEPTH])}") for expression in ignored
        )

    def selects(self, path: str) -> bool:
        """Whether a file at `path` is one of the trigger's."""
        return not self._is_left_out(self._ignored, path) and any(one.selects(path) for one in self._patterns)

    def enters(self, folder: str) -> bool:
        """Whether a folder at `folder` may hold files of the trigger, now or later."""
        left_out = self._is_left_out(self._ignored_folders, folder)
        return not left_out and any(one.enters(folder) for one in self._patterns)

    def names(self, path: str) -> bool:
        """Whether `path` stands literally in the configuration, so that a symbolic link there is followed."""
        return any(one.names(path) for one in self._patterns)

    def check_links(self, root: Path, where: str) -> None:
        """Raise InvalidParams for a path that leaves the project through a symbolic link."""
        for index, pattern in enumerate(self._patterns):
            if not is_inside(root, root / pattern.base):
                raise InvalidParams(
                    f"{where}paths[{index}]: a symbolic link in {pattern.base!r} leads out of the project - "
                    "only files of the project can be watched"
                )

    def _is_left_out(self, ignored: re.Pattern[str], path: str) -> bool:
        ours = self._excluded is not None and _below(self._excluded, path) is not None
        return ours or ignored.fullmatch(path) is not None


def is_inside(root: Path, path: Path | str) -> bool:
    """Whether `path`, with its symbolic links followed, is in `root` (which has none)."""
    real = os.path.realpath(path)
    return _below(str(root), real) is not None or root == Path("/")


def _pattern(root: Path, text: str, where: str) -> _Pattern:
    try:
        return _Pattern(_names(root, text, where))
    except GlobError as error:
        raise InvalidParams(f"{where}: {text!r}: {error}") from None


def _ignored(root: Path, text: str, where: str) -> str:
    """The expression for one entry of `ignore`; one without a slash is a name at any depth."""
    try:
        names = _names(root, text, where)
        if not names:
            raise InvalidParams(f"{where}: {text!r} is the whole project - name a part of it")
        any_depth = "" if "/" in text.rstrip("/") else "(?:.*/)?"
        return any_depth + glob_regex(names)
    except GlobError as error:
        raise InvalidParams(f"{where}: {text!r}: {error}") from None


def _names(root: Path, text: str, where: str) -> list[str]:
    """The names between the slashes, from the project's root on."""
    if not text.strip() or "\0" in text:
        raise InvalidParams(f"{where}: {text!r} is not a path - write it relative to the project's root, `.` for all")
    relative = _below(str(root), os.path.normpath(text)) if text.startswith("/") else text
    names = [name for name in (relative or "").split("/") if name not in ("", ".")]
    if relative is None or ".." in text.split("/") or names[:1] == ["~"]:
        raise InvalidParams(f"{where}: {text!r} leaves the project - write a path relative to its root, without `..`")
    return [name for index, name in enumerate(names) if name != ANY_DEPTH or names[index - 1 : index] != [ANY_DEPTH]]
