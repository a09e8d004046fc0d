"""`plugins.yaml`: what a row says, and that every mistake in it has its line and a hint."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import InvalidInput
from animus_core.launch_options import LaunchOptions, Limits
from animus_core.supply.discovery.registry import Registry, Row, read_registry

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "plugins.yaml"
        path.write_text(text)
        return path

    return write


def test_a_row_says_what_to_run_and_what_the_plugin_gets(write: Write) -> None:
    path = write(
        "plugins:\n  a:\n    binary: [python3, /opt/a.py]\n    env: {PORT: 8080, EMPTY: ''}\n"
        "    pass_env: [TOKEN, TOKEN]\n    limits: {memory_mb: 512, open_files: 64}\n  b: {limits: {cpu_seconds: 60}}\n"
        "providers: {c: {binary: /opt/c}}\ninclude_system_path: true\n"
    )
    options = LaunchOptions({"PORT": "8080", "EMPTY": ""}, ("TOKEN",), Limits(512, None, 64))
    assert read_registry(path) == Registry(
        (
            Row("a", ("python3", "/opt/a.py"), options),
            Row("b", None, LaunchOptions(limits=Limits(cpu_seconds=60))),
            Row("c", ("/opt/c",), LaunchOptions()),
        ),
        include_system_path=True,
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "plugins:\n", "plugins: {}", "include_system_path: no"])
def test_an_empty_registry_has_no_rows(text: str, write: Write) -> None:
    assert read_registry(write(text)) == Registry((), include_system_path=False)


def test_an_absent_registry_has_no_rows(tmp_path: Path) -> None:
    assert read_registry(tmp_path / "plugins.yaml") == Registry((), include_system_path=False)


def test_a_program_is_looked_up_from_the_files_folder_the_projects_root_or_path(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    path = write("plugins: {a: {binary: bin/a}, b: {binary: ~/b}, c: {binary: c}, d: {binary: [./d, ./e]}}")
    here, project = (
        [row.command for row in read_registry(path, **root).rows] for root in ({}, {"project_root": Path("/p")})
    )
    assert here == [(f"{tmp_path}/bin/a",), ("/home/somebody/b",), ("c",), (f"{tmp_path}/d", "./e")]
    assert project == [("/p/bin/a",), ("/home/somebody/b",), ("c",), ("/p/d", "./e")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugins: [a, b]", "1: plugins: is not a mapping"),
        ("[a]", "1: the registry: is not a mapping"),
        ("plugins: text", "1: plugins: is not a mapping"),
        ("plugins:\n  a: null", "2: plugins.a: is not a mapping"),
        ("plugins:\n  a: {binary: 7}", "2: plugins.a.binary: is not text"),
        ("plugins:\n  a: {binary: ''}", "2: plugins.a.binary: is empty"),
        ("plugins:\n  a:\n    binary: []", "3: plugins.a.binary: is an empty list"),
        ("plugins:\n  a:\n    binary:\n      - x\n      - 7", "5: plugins.a.binary: is not text"),
        ('plugins:\n  a: {binary: "x\\0"}', "2: plugins.a.binary: holds a character"),
        (
            "plugins:\n  a: {binary: ~nobody-of-this-name/x}",
            "2: plugins.a.binary: '~nobody-of-this-name/x': there is no",
        ),
        ("plugins:\n  a:\n    binry: x", "3: plugins.a.binry: is not a known key"),
        ("pluggins: {}", "1: pluggins: is not a known key"),
        ("plugins:\n  a: {binary: x}\n  a: {binary: y}", "3: plugins: 'a' is written twice, first on line 2"),
        ("plugins: {a: {binary: x}}\nproviders: {a: {binary: y}}", "2: providers.a: this name has a row already"),
        ("plugins: {1: {binary: x}}", "1: plugins: a key is not text"),
        ("plugins: {<<: {a: {binary: x}}}", "1: plugins: a key is not text"),
        ("plugins: {a/b: {binary: x}}", "1: plugins: 'a/b' cannot be the name"),
        ('plugins: {"a\\e[31m": {binary: x}}', r"1: plugins: 'a\x1b[31m' cannot be the name"),
        ('plugins: {a: {"\\e[31m": 1}}', r"1: plugins.a.\x1b[31m: is not a known key"),
        ("plugins:\n  a:\n    env: {X: yes}", "3: plugins.a.env.X: is not text"),
        ("plugins:\n  a:\n    env: {2X: a}", "3: plugins.a.env: '2X' cannot be the name of a variable"),
        ("plugins:\n  a:\n    env: [X]", "3: plugins.a.env: is not a mapping"),
        ("plugins:\n  a:\n    pass_env: X", "3: plugins.a.pass_env: is not a list"),
        ("plugins:\n  a:\n    pass_env: [X=1]", "3: plugins.a.pass_env: 'X=1' cannot be the name of a variable"),
        ("plugins:\n  a:\n    limits: {memory_mb: 0}", "3: plugins.a.limits.memory_mb: is not a whole number"),
        ("plugins:\n  a:\n    limits: {memory_mb: 1.5}", "3: plugins.a.limits.memory_mb: is not a whole number"),
        ("plugins:\n  a:\n    limits: {memory_mb: '5'}", "3: plugins.a.limits.memory_mb: is not a whole number"),
        ("plugins:\n  a:\n    limits: {memory: 5}", "3: plugins.a.limits.memory: is not a known key"),
        ("include_system_path: maybe", "1: include_system_path: is neither true nor false"),
        ("plugins: [", "1: not valid YAML"),
        ("a: 1\n---\nb: 2", "2: not valid YAML"),
        ("plugins: !!python/object:os.system {}", "1: plugins: is not a mapping"),
        ("\x00", "1: not valid YAML: the character U+0000"),
        ("plugins: " + "[" * 100, "1: not valid YAML: nested deeper than 20 levels"),
        ('plugins: "\\UFFFFFFFF"', "1: not valid YAML: holds a number"),
        ("plugins: *a", "1: not valid YAML: found undefined alias"),
    ],
)
def test_a_mistake_has_its_line_its_place_and_a_hint(text: str, message: str, write: Write) -> None:
    path = write(text)
    with pytest.raises(InvalidInput) as raised:
        read_registry(path)
    assert raised.value.message.startswith(f"{path}:{message}")
    assert raised.value.hint


def test_a_key_that_is_nearly_right_is_suggested(write: Write) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_registry(write("plugins: {a: {bniary: x}}"))
    assert raised.value.hint == "Known here: binary, env, pass_env, limits. Did you mean 'binary'?"


@pytest.mark.parametrize("key", ["env: {A: b}", "pass_env: [HOME]", "limits: {memory_mb: 5}"])
def test_a_project_gives_nothing_of_the_operators_machine(key: str, write: Write) -> None:
    with pytest.raises(InvalidInput, match=r"plugins\.yaml:3: plugins\.a\.\w+: is not taken from a project's file"):
        read_registry(write(f"plugins:\n  a: {{binary: x,\n    {key}}}"), project_root=Path("/p"))


@pytest.mark.parametrize("text", ["plugins: {a: {}}", "include_system_path: true"])
def test_a_project_only_says_what_to_run(text: str, write: Write) -> None:
    with pytest.raises(InvalidInput, match=r"plugins\.yaml:1: "):
        read_registry(write(text), project_root=Path("/p"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"a: b\n\xff"), ":2: is not UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * (1 << 20) + b"\n"), ": cannot be read: it is larger than 1048576 bytes"),
        (os.mkfifo, ": cannot be read: it is not a regular file"),
        (Path.mkdir, ": cannot be read: it is not a regular file"),
        (lambda path: path.symlink_to(path), ": cannot be read: Too many levels"),
    ],
)
def test_what_is_no_text_file_is_refused_at_once(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins.yaml"
    make(path)
    with pytest.raises(InvalidInput) as raised:
        read_registry(path)
    assert raised.value.message.startswith(f"{path}{message}")


@given(st.text(alphabet="plugins:{}[]a1 \n-\"'\\&*!<|>%@~#x,?", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    with contextlib.suppress(InvalidInput):
        read_registry(path)
