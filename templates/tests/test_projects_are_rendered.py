from __future__ import annotations

import ast
import compileall
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import animus_templates
from animus_templates import KINDS, LICENSES, BadAnswer, ProjectExists, render

FilesOf = Callable[[Path], dict[str, bytes]]
HOSTILE = """He said "{{ 7 * 7 }}", it's a \\ and {% raw %} #"""
PLAIN_S = 60
OURS = ("animus_sdk", "animus_protocol", "animus_core", "animus_conformance")
COOKIECUTTER, RUFF = (Path(sys.executable).with_name(name) for name in ("cookiecutter", "ruff"))


def _environment(folder: Path) -> dict[str, str]:
    """Plain cookiecutter leaves the hooks that it has run where temporary files are made."""
    (folder / "temporary").mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}


@pytest.mark.parametrize("kind", KINDS)
def test_plain_cookiecutter_makes_the_same_project_byte_for_byte(kind: str, tmp_path: Path, files_of: FilesOf) -> None:
    ours = render(kind, "My Thing", tmp_path / "ours", {"author": "Ada", "license": "none"})
    template = Path(animus_templates.__file__).parent / kind
    answers = ["name=My Thing", "author=Ada", "license=none"]
    (tmp_path / "theirs").mkdir()
    relative = template.name  # as people type it
    subprocess.run(
        [COOKIECUTTER, "--no-input", "-o", tmp_path / "theirs", relative, *answers],
        cwd=template.parent,
        env=_environment(tmp_path),
        check=True,
        timeout=PLAIN_S,
    )
    assert files_of(tmp_path / "theirs" / ours.name) == files_of(ours)


def test_no_file_of_cookiecutters_own_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_of: FilesOf
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cookiecutterrc").write_text("default_context: {license: none, author: Somebody}\n")
    script = (
        f"from animus_templates import render; from pathlib import Path; render('subject', 'x', Path({str(home)!r}))"
    )
    environment = {"HOME": str(home), "COOKIECUTTER_CONFIG": str(home / ".cookiecutterrc")}
    subprocess.run([sys.executable, "-c", script, home], env=environment, check=True, timeout=PLAIN_S)
    assert sorted(path.name for path in home.iterdir()) == [".cookiecutterrc", "animus-subject-x"]
    assert "Somebody" not in (home / "animus-subject-x" / "LICENSE").read_text()


@pytest.mark.parametrize("chosen", LICENSES)
def test_the_chosen_license_is_in_the_project(chosen: str, tmp_path: Path) -> None:
    project = render("notifier", "x", tmp_path, {"license": chosen, "author": "Ada L."})
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert (project / "LICENSE").exists() == (chosen != "none")
    assert metadata.get("license", "none") == chosen
    if chosen in ("MIT", "BSD-3-Clause"):
        assert "Copyright (c) Ada L.\n" in (project / "LICENSE").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_well_formed(kind: str, tmp_path: Path, files_of: FilesOf) -> None:
    chosen = {"license": LICENSES[KINDS.index(kind) % len(LICENSES)], "description": HOSTILE}
    for path, content in files_of(render(kind, "x", tmp_path, chosen)).items():
        if content:
            assert content.endswith(b"\n"), path
            assert not content.endswith(b"\n\n"), path
        if path.endswith((".yml", ".yaml")):
            assert yaml.safe_load(content), path
        if path.endswith(".toml"):
            assert tomllib.loads(content.decode()), path


def test_every_project_is_clean_whatever_its_name(tmp_path: Path) -> None:
    for name in ("a", "z" * 32, "7"):
        for kind in KINDS:
            render(kind, name, tmp_path / name)
    for words in (["check", "--quiet"], ["format", "--quiet", "--diff"]):
        done = subprocess.run(
            [RUFF, *words, "--no-cache", tmp_path], capture_output=True, text=True, timeout=PLAIN_S, check=False
        )
        assert done.returncode == 0, done.stdout


def test_a_path_in_a_readme_stays_in_one_piece(tmp_path: Path) -> None:
    for kind in ("subject", "log-storage", "notifier"):
        project = render(kind, "a-long-name-that-has-many-parts", tmp_path)
        assert f"`~/.animus/<scope>/plugin-state/{project.name}/" in (project / "README.md").read_text()


def test_answers_are_texts_and_never_templates(tmp_path: Path) -> None:
    project = render("subject", "x", tmp_path, {"description": HOSTILE, "author": HOSTILE})
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == metadata["authors"][0]["name"] == HOSTILE
    assert json.loads((project / ".animus-template.json").read_text())["answers"]["description"] == HOSTILE


def test_compiled_files_of_a_template_are_not_part_of_the_project(
    templates: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    before = render("provider", "x", tmp_path / "before")
    compileall.compile_dir(templates, quiet=2)
    assert [*templates.rglob("*cookiecutter*/**/*.pyc")]
    assert files_of(render("provider", "x", tmp_path / "after")) == files_of(before)


def test_a_project_that_exists_is_left_as_it_is(tmp_path: Path, files_of: FilesOf) -> None:
    mine = tmp_path / "animus-subject-x" / "README.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ProjectExists, match="no empty folder"):
        render("subject", "x", tmp_path)
    (tmp_path / "animus-subject-y").write_text("mine, too")
    with pytest.raises(ProjectExists, match="no empty folder"):
        render("subject", "y", tmp_path)
    assert files_of(tmp_path) == {"animus-subject-x/README.md": b"mine", "animus-subject-y": b"mine, too"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "animus-subject-x").mkdir()
    assert (render("subject", "x", tmp_path) / "README.md").exists()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ProjectExists, match="is not a folder"):
        render("subject", "x", tmp_path / "taken")


@pytest.mark.parametrize(
    ("kind", "answers", "message"),
    [
        ("queue", {}, "no template"),
        ("subject", {"license": "GPL"}, "GPL"),
        ("subject", {"year": "2030"}, "year"),
        ("subject", {"description": "a\nb"}, "line break"),
    ],
)
def test_a_bad_answer_is_named_and_leaves_nothing(
    kind: str, answers: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadAnswer, match=message):
        render(kind, "x", tmp_path, answers)
    assert not [*tmp_path.iterdir()]


def test_plain_cookiecutter_says_what_is_wrong_with_a_name(tmp_path: Path) -> None:
    template = Path(animus_templates.__file__).parent / "subject"
    done = subprocess.run(
        [COOKIECUTTER, "--no-input", "-o", tmp_path, template, "name=!"],
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PLAIN_S,
        check=False,
    )
    assert done.returncode == 1
    assert "nothing is left of it" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_imports_the_public_packages_of_the_sdk_and_nothing_else_of_ours(kind: str, tmp_path: Path) -> None:
    imported = set()
    for source in render(kind, "x", tmp_path).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
    ours = {name for name in imported if name is not None and name.startswith(OURS)}
    assert "animus_sdk" in ours
    assert ours <= {"animus_sdk", "animus_sdk.testing", "animus_sdk.http"}
