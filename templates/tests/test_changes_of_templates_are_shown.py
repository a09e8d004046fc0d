from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_templates import BadRecord, accept, check, render

FilesOf = Callable[[Path], dict[str, bytes]]
README = "README.md"
SHARED = "shared/{{cookiecutter.__distribution}}"


@pytest.fixture
def project(templates: Path, tmp_path: Path) -> Path:
    return render("subject", "My Tickets", tmp_path, {"author": "Ada", "license": "Apache-2.0"})


@pytest.fixture
def readme(templates: Path) -> Path:
    return templates / SHARED / README


def change(readme: Path) -> None:
    readme.write_text(readme.read_text().replace("## Use it", "## How to use it"))


def test_a_fresh_project_is_as_its_template_makes_it(project: Path) -> None:
    assert check(project) == []


def test_what_the_author_alone_changes_is_not_shown(project: Path) -> None:
    (project / README).write_text("mine")
    (project / "AGENTS.md").unlink()
    (project / "mine.py").write_text("")
    assert check(project) == []


def test_what_the_template_changes_is_shown_as_a_diff(project: Path, readme: Path, files_of: FilesOf) -> None:
    change(readme)
    before = files_of(project)
    [changed] = check(project)
    assert (changed.path, changed.by_author) == (README, False)
    assert "-## Use it\n+## How to use it\n" in changed.diff
    assert files_of(project) == before


def test_what_both_change_says_so(project: Path, readme: Path) -> None:
    change(readme)
    (project / README).write_text("mine\n")
    [changed] = check(project)
    assert changed.by_author
    assert "-mine\n" in changed.diff


def test_a_change_that_the_author_has_taken_over_is_not_shown(project: Path, readme: Path) -> None:
    change(readme)
    (project / README).write_text((project / README).read_text().replace("## Use it", "## How to use it"))
    assert check(project) == []


def test_what_was_accepted_is_not_shown_again_and_only_the_record_is_written(
    project: Path, readme: Path, files_of: FilesOf
) -> None:
    change(readme)
    before = files_of(project)
    accept(project)
    assert check(project) == []
    assert {path for path, content in files_of(project).items() if content != before.get(path)} == {
        ".animus-template.json"
    }
    readme.write_text(readme.read_text() + "More.\n")
    [changed] = check(project)
    assert changed.by_author  # whose file is not what the template made of it the last time
    assert "+More.\n" in changed.diff


def test_files_that_come_and_go_are_shown(project: Path, templates: Path) -> None:
    (templates / SHARED / "NEW.md").write_text("new\n")
    (templates / SHARED / "AGENTS.md").unlink()
    gone, new = check(project)
    assert gone.path == "AGENTS.md"
    assert "+++ /dev/null" in gone.diff
    assert new.path == "NEW.md"
    assert "--- /dev/null" in new.diff


def test_a_record_whose_keys_a_formatter_has_sorted_is_read(project: Path) -> None:
    path = project / ".animus-template.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert check(project) == []


def test_a_folder_that_no_template_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"has no \.animus-template\.json"):
        check(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("kind"),
        lambda record: record["answers"].pop("author"),
        lambda record: record["files"].update({"../../secret": "0" * 64}),
        lambda record: record["files"].update({"/etc/passwd": "0" * 64}),
        lambda record: record["files"].update({"README.md": 7}),
    ],
)
def test_a_record_that_is_damaged_or_hostile_is_refused(project: Path, change: Callable[[dict], object]) -> None:
    path = project / ".animus-template.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(BadRecord, match=r"\.animus-template\.json"):
        check(project)


def test_a_link_in_the_place_of_a_file_is_not_followed(project: Path, readme: Path, tmp_path: Path) -> None:
    change(readme)
    (tmp_path / "secret").write_text("secret\n")
    (project / README).unlink()
    (project / README).symlink_to(tmp_path / "secret")
    [changed] = check(project)
    assert "secret" not in changed.diff
