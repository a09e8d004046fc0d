"""Everything of one project is in one place, whichever worktree it is looked at from, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import InvalidInput, RetryLater
from animus_core.store.paths import (
    SOCKET_PATH_LIMIT_BYTES,
    Scope,
    check_socket_path,
    config_dir,
    project_root,
    repo_scope,
)


def git(*arguments: str, cwd: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, timeout=30)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "My Project"
    root.mkdir()
    git("init", "-q", cwd=root)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=root)
    (root / "src" / "deep").mkdir(parents=True)
    return root


def test_the_configuration_is_where_the_variable_says_or_at_home() -> None:
    assert config_dir({"ANIMUS_CONFIG_DIR": "/etc/animus", "HOME": "/home/a"}) == Path("/etc/animus")
    assert config_dir({"ANIMUS_CONFIG_DIR": "", "HOME": "/home/a"}) == Path("/home/a/.animus")
    assert config_dir({}) == Path.home() / ".animus"
    with pytest.raises(InvalidInput, match="'some/where', which means another place in each working directory"):
        config_dir({"ANIMUS_CONFIG_DIR": "some/where"})


def test_the_root_is_what_was_asked_for(tmp_path: Path, repository: Path) -> None:
    assert project_root(repository / "src", tmp_path) == repository / "src"
    assert project_root(Path("My Project/src/.."), tmp_path) == repository
    (tmp_path / "link").symlink_to(repository)
    assert project_root(tmp_path / "link", tmp_path) == repository
    (tmp_path / "file").touch()
    for wrong in ("missing", "file"):
        with pytest.raises(InvalidInput, match=f"project root {wrong} is not a folder"):
            project_root(Path(wrong), tmp_path)


def test_the_root_is_the_repository_around_the_working_directory(tmp_path: Path, repository: Path) -> None:
    assert project_root(None, repository / "src" / "deep") == repository
    assert project_root(None, repository) == repository
    outside = tmp_path / "outside"
    outside.mkdir()
    assert project_root(None, outside) == outside


def test_linked_worktrees_share_the_root_and_the_scope_of_the_main_one(tmp_path: Path, repository: Path) -> None:
    linked = tmp_path / "linked"
    git("worktree", "add", "-q", str(linked), cwd=repository)
    (linked / "sub").mkdir()
    assert project_root(None, linked / "sub") == repository
    assert repo_scope(linked) == repo_scope(repository)
    # A folder inside a repository that is asked for by name is a project of its own.
    assert repo_scope(repository / "src") != repo_scope(repository)


def test_a_worktree_of_a_bare_repository_is_its_own_root(tmp_path: Path, repository: Path) -> None:
    bare, linked = tmp_path / "bare.git", tmp_path / "linked"
    git("clone", "-q", "--bare", str(repository), str(bare), cwd=tmp_path)
    git("worktree", "add", "-q", str(linked), cwd=bare)
    assert project_root(None, linked) == linked


def test_a_submodule_and_a_separate_git_directory_are_roots_of_their_own(tmp_path: Path, repository: Path) -> None:
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "part", cwd=repository)
    assert project_root(None, repository / "part" / "..") == repository
    assert project_root(None, repository / "part") == repository / "part"
    separate = tmp_path / "separate"
    git("init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"), str(separate), cwd=tmp_path)
    assert project_root(None, separate) == separate


@pytest.mark.parametrize("content", ["", "gitdir: /no/such/place\n", "nonsense", "gitdir: \n"])
def test_a_git_file_that_leads_nowhere_is_no_repository(repository: Path, content: str) -> None:
    inner = repository / "src"
    (inner / ".git").write_text(content)
    assert project_root(None, inner / "deep") == repository
    (inner / ".git").unlink()
    (inner / ".git").mkdir()
    assert project_root(None, inner / "deep") == repository


@pytest.mark.parametrize(
    ("name", "sanitised"),
    [
        ("animus", "animus"),
        ("My  Project_-x", "my-project-x"),
        ("a.b+c!", "abc"),
        ("a-.-b", "a-b"),
        ("日本語", "repo"),
        ("Größe", "gre"),
        ("_x_", "-x-"),
        ("İstanbul", "stanbul"),
    ],
)
def test_a_scope_is_the_sanitised_name_and_the_hash_of_the_canonical_root(
    tmp_path: Path, name: str, sanitised: str
) -> None:
    root = tmp_path / name
    root.mkdir()
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    assert repo_scope(root) == f"{sanitised}-{digest}"
    assert repo_scope(root / ".." / name) == f"{sanitised}-{digest}"


@given(st.text(alphabet=st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_scope_is_one_plain_file_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{12}", repo_scope(Path("/no/such/parent") / name))


def test_a_scope_names_every_file_of_the_project(tmp_path: Path) -> None:
    scope = Scope.of(tmp_path, {"ANIMUS_CONFIG_DIR": "/c"})
    assert scope.root == Path("/c") / repo_scope(tmp_path)
    names = {
        name: str(getattr(scope, name).relative_to(scope.root))
        for name, member in vars(Scope).items()
        if isinstance(member, property)
    }
    assert names == {
        "workflow_db": "workflow.db",
        "core_state": "core-state.json",
        "core_state_lock": "core-state.lock",
        "daemon_dir": "daemon",
        "daemon_log": "daemon/daemon.log",
        "daemon_lock": "daemon/daemon.lock",
        "daemon_pid": "daemon/daemon.pid",
        "pm_config": "daemon/pm-config.json",
        "control_socket": "control.sock",
        "agent_runner_socket": "agent-runner.sock",
        "agent_runner_lock": "agent-runner.lock",
        "runs": "runs",
        "state": "state",
        "logs": "logs",
    }
    run = scope.run_dir("run-1")
    assert run.root == scope.runs / "run-1"
    assert [path.name for path in (run.lock, run.plan, run.dispatch, run.journal, run.log)] == [
        "lock",
        "plan.json",
        "dispatch.json",
        "journal.jsonl",
        "runner.log",
    ]
    assert run.session("build").name == "build.session.json"
    assert run.spool("build", 2).name == "build.2.spool.jsonl"
    assert run.attempt_lock("build", 2).name == "build.2.attempt.lock"


phases = st.text(alphabet=st.characters(), min_size=1, max_size=200) | st.sampled_from(["..", ".", "a/b", "~", "%2E"])


@given(phases, phases)
def test_different_phases_have_different_files_and_none_leaves_the_run(one: str, other: str) -> None:
    run = Scope(Path("/p"), Path("/s")).run_dir("r")
    for phase in (one, other):
        for path in (run.session(phase), run.spool(phase, 1), run.attempt_lock(phase, 1)):
            assert path.parent == run.root
            assert re.fullmatch(r"[A-Za-z0-9_%~-]+(\.\d+)?\.[a-z.]+", path.name)
            assert len(path.name) <= 255
    assert (run.session(one) == run.session(other)) == (one == other)


def test_a_phase_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty id"):
        Scope(Path("/p"), Path("/s")).run_dir("r").session("")


@pytest.mark.parametrize("run_id", ["", ".", "..", "../x", "a/b", "-x", "a\nb", "a\n", "é", "x" * 121])
def test_what_is_not_the_id_of_a_run_never_becomes_a_path(run_id: str) -> None:
    with pytest.raises(InvalidInput, match="is not the id of a run"):
        Scope(Path("/p"), Path("/s")).run_dir(run_id)


def test_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    scope = Scope.of(tmp_path, {"ANIMUS_CONFIG_DIR": str(tmp_path / "new" / "config")})
    scope.create()
    scope.create()
    run = scope.run_dir("r1")
    run.create()
    made = [tmp_path / "new" / "config", scope.root, scope.daemon_dir, scope.runs, scope.state, scope.logs, run.root]
    assert {folder.stat().st_mode & 0o777 for folder in made} == {0o700}


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_configuration_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    scope = Scope.of(tmp_path, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    scope.create()
    for folder in (scope.root.parent, scope.root):
        folder.chmod(mode)
        with pytest.raises(RetryLater, match=f"others may write here .mode {mode:o}.\nchmod go-w {folder}"):
            scope.create()
        folder.chmod(0o755)
        scope.create()


def test_a_configuration_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope.of(tmp_path, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(RetryLater, match=f"this process runs as user {stranger}"):
        scope.create()


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    for where in (tmp_path / "config", tmp_path / "config" / "below"):
        with pytest.raises(RetryLater, match=f"{tmp_path}/config.*: the folder cannot be made: "):
            Scope.of(tmp_path, {"ANIMUS_CONFIG_DIR": str(where)}).create()


def test_the_limit_for_a_socket_is_that_of_the_system(tmp_path: Path) -> None:
    room = SOCKET_PATH_LIMIT_BYTES - 1 - len(os.fsencode(tmp_path)) - 1
    longest = tmp_path / ("s" * room)
    assert check_socket_path(longest) == longest
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(longest))
    too_long = tmp_path / ("s" * (room + 1))
    limit = SOCKET_PATH_LIMIT_BYTES
    with pytest.raises(
        InvalidInput, match=f"{limit + 1} bytes, but the path of a socket may have {limit}\nSet ANIMUS_"
    ):
        check_socket_path(too_long)
    with socket.socket(socket.AF_UNIX) as refused, pytest.raises(OSError, match="too long"):
        refused.bind(str(too_long))


def test_the_limit_for_a_socket_counts_bytes_and_not_letters() -> None:
    with pytest.raises(InvalidInput, match="bytes"):
        check_socket_path(Path("/" + "é" * 60))
