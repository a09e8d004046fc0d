from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import pytest

from animus_core.cli.main import main


@pytest.fixture
def animus(capsys):
    """`animus(*words)` gives the exit code and the envelope."""

    def run(*words: str):
        code = main([*words, "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out or printed.err)

    return run


def new(animus, path: Path, *more: str, name: str = "My Tickets"):
    return animus("plugin", "new", "--kind", "subject", f"--name={name}", f"--path={path}", *more)


def test_a_new_plugin_is_made_and_the_next_commands_are_told(animus, tmp_path):
    code, envelope = new(animus, tmp_path, "--author", "Ada", "--license", "none", "--description", "What I do")
    assert code == 0
    project = Path(envelope["data"]["project"])
    assert project == tmp_path / "animus-subject-my-tickets"
    assert envelope["data"]["next"][0] == f"cd {project}"
    assert any("/animus_sdk-*.whl" in command for command in envelope["data"]["next"])
    assert "What I do" in (project / "README.md").read_text()


def test_people_read_what_was_made(tmp_path, capsys):
    main(["plugin", "new", "--kind", "notifier", "--name", "x", "--path", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[0] == f"made {tmp_path / 'animus-notifier-x'}"


@pytest.mark.parametrize("name", ["", "-", "x" * 200])
def test_a_name_that_is_no_name_is_invalid_input(animus, tmp_path, name):
    code, envelope = new(animus, tmp_path, name=name)
    assert (code, envelope["error"]["code"]) == (2, "invalid_input")


def test_a_project_that_exists_is_a_conflict(animus, tmp_path):
    new(animus, tmp_path)
    code, envelope = new(animus, tmp_path)
    assert (code, envelope["error"]["code"]) == (4, "conflict")


def test_a_disk_that_is_full_is_told_as_such(animus, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as `write` raises it, without a file's name

    monkeypatch.setattr("animus_templates.render", full)
    code, envelope = new(animus, tmp_path)
    assert (code, envelope["error"]["message"]) == (5, "the project: No space left on device")


def test_a_project_as_its_template_makes_it_has_no_changes(animus, tmp_path):
    _, made = new(animus, tmp_path)
    code, envelope = animus("plugin", "template", "check", made["data"]["project"])
    assert (code, envelope["data"]) == (0, {"changed": False, "files": []})


def test_a_template_that_renders_otherwise_is_exit_code_1(animus, tmp_path, capsys):
    _, made = new(animus, tmp_path)
    record = Path(made["data"]["project"]) / ".animus-template.json"
    recorded = json.loads(record.read_text())
    recorded["files"]["README.md"] = "0" * 64  # as if an older template had made it
    record.write_text(json.dumps(recorded))
    readme = record.with_name("README.md")
    readme.write_text("older\n")
    code, envelope = animus("plugin", "template", "check", str(record.parent))
    assert code == 1
    assert envelope["ok"]
    [changed] = envelope["data"]["files"]
    assert (changed["path"], changed["changed_by_you"]) == ("README.md", True)
    assert main(["plugin", "template", "check", str(record.parent)]) == 1
    assert "README.md: changed by you and by the template\n--- a/README.md\n" in capsys.readouterr().out


def test_a_change_that_is_accepted_is_shown_once(animus, tmp_path):
    _, made = new(animus, tmp_path)
    record = Path(made["data"]["project"]) / ".animus-template.json"
    recorded = json.loads(record.read_text())
    recorded["files"]["README.md"] = "0" * 64
    record.write_text(json.dumps(recorded))
    record.with_name("README.md").write_text("older\n")
    code, envelope = animus("plugin", "template", "check", str(record.parent), "--accept")
    assert (code, [one["path"] for one in envelope["data"]["files"]]) == (0, ["README.md"])
    assert animus("plugin", "template", "check", str(record.parent))[1]["data"]["files"] == []
    assert record.with_name("README.md").read_text() == "older\n"


def test_a_folder_that_no_template_made_is_invalid_input(animus, tmp_path):
    code, envelope = animus("plugin", "template", "check", str(tmp_path))
    assert (code, envelope["error"]["code"]) == (2, "invalid_input")


def test_without_the_templates_the_command_says_what_to_install(animus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "animus_templates", None)
    code, envelope = new(animus, tmp_path)
    assert (code, envelope["error"]["code"]) == (5, "unavailable")
    assert "/animus_templates-*.whl" in envelope["error"]["hint"]
