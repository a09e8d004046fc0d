"""The environment becomes settings, or a refusal that names the variable, its value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from animus_log_jsonl.settings import Fsync, Retention, read_settings
from animus_sdk import InvalidParams, ProjectBinding

PROJECT = ProjectBinding(project_root="/srv/shop", repo_scope="shop-1a2b")


def test_without_variables_the_log_is_in_the_home_of_the_daemon_and_bounded() -> None:
    settings = read_settings({"HOME": "/home/ann"}, PROJECT)
    assert settings.path == Path("/home/ann/.animus/shop-1a2b/logs/log.jsonl")
    assert (settings.fsync, settings.rotate_bytes) == (Fsync.ALWAYS, 64 * 1024**2)
    assert settings.retention == Retention(size_bytes=1024**3)


def test_the_config_folder_of_the_daemon_is_honoured() -> None:
    settings = read_settings({"HOME": "/home/ann", "ANIMUS_CONFIG_DIR": "/srv/animus"}, PROJECT)
    assert settings.path == Path("/srv/animus/shop-1a2b/logs/log.jsonl")


def test_without_a_scope_the_log_is_a_hidden_file_of_the_project() -> None:
    assert read_settings({}, ProjectBinding(project_root="/srv/shop")).path == Path("/srv/shop/.animus-log.jsonl")


@pytest.mark.parametrize(("named", "meant"), [("log/a.jsonl", "/srv/shop/log/a.jsonl"), ("/var/a.log", "/var/a.log")])
def test_a_path_is_absolute_or_below_the_project(named: str, meant: str) -> None:
    assert read_settings({"ANIMUS_LOG_FILE_PATH": named}, PROJECT).path == Path(meant)


def test_every_variable_is_read_and_an_empty_one_is_absent() -> None:
    env = {
        "HOME": "/home/ann",
        "ANIMUS_LOG_FILE_PATH": "",
        "ANIMUS_LOG_ROTATE_BYTES": "4096",
        "ANIMUS_LOG_RETENTION_DAYS": "7",
        "ANIMUS_LOG_RETENTION_FILES": "3",
        "ANIMUS_LOG_RETENTION_BYTES": "8192",
        "ANIMUS_LOG_FSYNC": "interval:250",
    }
    settings = read_settings(env, PROJECT)
    assert settings.rotate_bytes == 4096
    assert settings.retention == Retention(days=7, files=3, size_bytes=8192)
    assert (settings.fsync, settings.fsync_interval_s) == (Fsync.INTERVAL, 0.25)
    assert read_settings({**env, "ANIMUS_LOG_FSYNC": "interval"}, PROJECT).fsync_interval_s == 1
    assert read_settings({**env, "ANIMUS_LOG_FSYNC": "never"}, PROJECT).fsync is Fsync.NEVER


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("ANIMUS_LOG_ROTATE_BYTES", "1023", "from 1024 to"),
        ("ANIMUS_LOG_ROTATE_BYTES", "64MiB", "a whole number"),
        ("ANIMUS_LOG_ROTATE_BYTES", "9" * 30, "a whole number"),
        ("ANIMUS_LOG_RETENTION_DAYS", "0", "from 1 to 36500"),
        ("ANIMUS_LOG_RETENTION_DAYS", "-1", "a whole number"),
        ("ANIMUS_LOG_RETENTION_FILES", "1.5", "a whole number"),
        ("ANIMUS_LOG_RETENTION_BYTES", "x", "a whole number"),
        ("ANIMUS_LOG_RETENTION_BYTES", "4096", "raise the one or lower the other"),
        ("ANIMUS_LOG_FSYNC", "sometimes", "`always`, `never`, or `interval:`"),
        ("ANIMUS_LOG_FSYNC", "interval:0", "from 1 to 999999"),
        ("ANIMUS_LOG_FSYNC", "interval:1s", "from 1 to 999999"),
        ("ANIMUS_LOG_FILE_PATH", "logs/", "the path of a file"),
        ("ANIMUS_CONFIG_DIR", "config", "an absolute one"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        read_settings({"HOME": "/home/ann", variable: value}, PROJECT)
    assert variable in str(refused.value)
    assert value[:80] in str(refused.value)
    assert allowed in str(refused.value)


@pytest.mark.parametrize("scope", ["", "..", "a/b", "a\0b"])
def test_a_scope_that_is_no_name_of_a_folder_is_refused(scope: str) -> None:
    with pytest.raises(InvalidParams, match="repo_scope"):
        read_settings({}, ProjectBinding(project_root="/srv/shop", repo_scope=scope))
