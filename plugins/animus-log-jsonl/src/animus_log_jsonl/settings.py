"""What the operator sets: environment variables to values, or a refusal that names the variable.

A pure function of the environment and the project. Below it lies nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from animus_sdk import InvalidParams, ProjectBinding

__all__ = ["Fsync", "LogSettings", "Retention", "read_settings"]

_MIB: Final = 1024 * 1024
_ROTATE_BYTES: Final = 64 * _MIB
_RETENTION_BYTES: Final = 1024 * _MIB
_INTERVAL_MS: Final = 1_000
_MOST: Final = 2**50
_INTERVAL: Final = re.compile(r"interval(?::([0-9]{1,6}))?")


class Fsync(StrEnum):
    """When written entries are forced onto the disk."""

    ALWAYS = "always"
    INTERVAL = "interval"
    NEVER = "never"


@dataclass(frozen=True)
class Retention:
    """How much of the log is kept; None is no limit of that kind. `files` counts rotated files."""

    days: int | None = None
    files: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class LogSettings:
    """The whole configuration; `path` is the file that is written, absolute."""

    path: Path
    rotate_bytes: int = _ROTATE_BYTES
    retention: Retention = Retention(size_bytes=_RETENTION_BYTES)
    fsync: Fsync = Fsync.ALWAYS
    fsync_interval_s: float = _INTERVAL_MS / 1000


def read_settings(env: Mapping[str, str], project: ProjectBinding) -> LogSettings:
    """The settings that `env` asks for; an empty value counts as absent. Raises InvalidParams."""
    rotate_bytes = _whole_number(env, "ANIMUS_LOG_ROTATE_BYTES", at_least=1024) or _ROTATE_BYTES
    kept_bytes = _whole_number(env, "ANIMUS_LOG_RETENTION_BYTES", at_least=1024)
    if kept_bytes is not None and kept_bytes < rotate_bytes:
        raise InvalidParams(
            f"ANIMUS_LOG_RETENTION_BYTES={kept_bytes}: less than one file of ANIMUS_LOG_ROTATE_BYTES={rotate_bytes}, "
            "and the file being written is never deleted - raise the one or lower the other"
        )
    retention = Retention(
        days=_whole_number(env, "ANIMUS_LOG_RETENTION_DAYS", at_most=36_500),
        files=_whole_number(env, "ANIMUS_LOG_RETENTION_FILES"),
        size_bytes=kept_bytes or max(_RETENTION_BYTES, rotate_bytes),
    )
    fsync, interval_s = _fsync(env)
    return LogSettings(_path(env, project), rotate_bytes, retention, fsync, interval_s)


def _whole_number(env: Mapping[str, str], name: str, *, at_least: int = 1, at_most: int = _MOST) -> int | None:
    text = env.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text) or not at_least <= int(text) <= at_most:
        raise InvalidParams(f"{name}={text[:80]!r}: write a whole number from {at_least} to {at_most}")
    return int(text)


def _fsync(env: Mapping[str, str]) -> tuple[Fsync, float]:
    text = env.get("ANIMUS_LOG_FSYNC", "") or Fsync.ALWAYS
    interval = _INTERVAL.fullmatch(text)
    if interval is not None:
        interval_ms = int(interval[1]) if interval[1] else _INTERVAL_MS
        if interval_ms:
            return Fsync.INTERVAL, interval_ms / 1000
    if text not in (Fsync.ALWAYS, Fsync.NEVER):
        raise InvalidParams(
            f"ANIMUS_LOG_FSYNC={text[:80]!r}: write `always`, `never`, or `interval:` with milliseconds "
            "from 1 to 999999, such as `interval:200`"
        )
    return Fsync(text), _INTERVAL_MS / 1000


def _path(env: Mapping[str, str], project: ProjectBinding) -> Path:
    root = Path(project.project_root)
    named = env.get("ANIMUS_LOG_FILE_PATH", "")
    if named:
        path = root / named
        if named.endswith("/") or path.name in ("", ".."):
            raise InvalidParams(f"ANIMUS_LOG_FILE_PATH={named!r}: a folder - write the path of a file")
        return path
    scope = project.repo_scope
    if scope is None:
        return root / ".animus-log.jsonl"
    # It comes from the host and becomes the name of a folder: it must not lead to another one.
    if scope in ("", ".", "..") or "/" in scope or "\0" in scope:
        raise InvalidParams(
            f"project_binding.repo_scope={scope!r}: not the name of a folder - set ANIMUS_LOG_FILE_PATH"
        )
    return _config_dir(env) / scope / "logs" / "log.jsonl"


def _config_dir(env: Mapping[str, str]) -> Path:
    named = env.get("ANIMUS_CONFIG_DIR", "")
    if not named:
        return Path(env["HOME"] if env.get("HOME") else Path.home()) / ".animus"
    if not named.startswith("/"):
        raise InvalidParams(f"ANIMUS_CONFIG_DIR={named!r}: a relative path - write an absolute one")
    return Path(named)
