"""What is typed after `animus plugin install` means one thing, and never an option of pip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import InvalidInput
from animus_core.supply.install.plugin_source import SourceKind, parse_source


def test_a_word_without_a_slash_is_a_name_in_an_index_whatever_lies_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "animus-log-x").mkdir()
    for text in ("animus-log-x", "animus-log-x==0.3", "Animus.Log_X[a, b] >=1.0, !=1.1", "x"):
        assert parse_source(text, tmp_path).kind is SourceKind.INDEX
        assert parse_source(text, tmp_path).pip_argument == text
    assert parse_source("Animus.Log_X>=1", tmp_path).stem == "animus-log-x"


def test_what_lies_here_is_named_by_a_path_and_known_by_what_it_is(tmp_path: Path) -> None:
    for name in ("my_plug-1.0-py3-none-any.whl", "my_plug-1.0.tar.gz", "tool"):
        (tmp_path / name).touch(0o755)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pyproject.toml").write_text('[project]\nname = "My.Plug"')
    found = {text: parse_source(text, tmp_path) for text in ("my_plug-1.0.tar.gz", "./tool", "./folder")}
    assert {text: (one.kind, one.stem) for text, one in found.items()} == {
        "my_plug-1.0.tar.gz": (SourceKind.ARCHIVE, "my-plug"),
        "./tool": (SourceKind.EXECUTABLE, "tool"),
        "./folder": (SourceKind.FOLDER, "my-plug"),
    }
    assert parse_source("my_plug-1.0-py3-none-any.whl", tmp_path).stem == "my-plug"
    assert found["./tool"].text == str(tmp_path / "tool")
    assert found["./folder"].pip_argument == (tmp_path / "folder").as_uri()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("-r", "looks like an option"),
        ("--index-url=x", "looks like an option"),
        ("name --pre", "neither a path nor a name"),
        ("name; python_version > '3'", "neither a path nor a name"),
        ("name @ file:", "neither a path nor a name"),
        ("name==-r", "neither a path nor a name"),
        ("https://example.org/x.whl", "addresses are not installed from"),
        ("git+https://example.org/x", "addresses are not installed from"),
        ("./nothing", "No such file or directory"),
        ("missing.whl", "No such file or directory"),
        ("./plain", "cannot be executed"),
        ("./bare", "without pyproject.toml"),
        ("./broken", "pyproject.toml: cannot be read"),
        ("./pipe", "neither a file nor a folder"),
        ("line\nbreak", "not printable"),
        ("nul\0", "not printable"),
    ],
)
def test_what_cannot_be_installed_is_refused_with_what_could(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "plain").touch(0o644)
    for name, content in (("bare", None), ("broken", "[project")):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "pyproject.toml").write_text(content)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match=why) as raised:
        parse_source(text, tmp_path)
    assert raised.value.hint


@given(st.text(max_size=40) | st.from_regex(r"\A-{0,2}[a-z]{1,5}[=@;\[\] ]{0,2}[-a-z0-9./:]{0,9}\Z"))
def test_nothing_that_is_typed_reaches_pip_as_an_option(text: str) -> None:
    try:
        source = parse_source(text, Path("/nowhere"))
    except InvalidInput:
        return
    assert source.pip_argument[0].isalnum()
    assert "://" not in source.pip_argument.removeprefix("file://")
    assert not set(source.pip_argument) & set(";@\n\0#")
