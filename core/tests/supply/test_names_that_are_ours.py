"""A name of ours in somebody's index is a stranger's until we have published it: nothing tells people to install it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest

from animus_core.errors import RetryLater
from animus_core.supply.distributions import (
    DISTRIBUTIONS,
    PUBLISHED,
    how_to_install,
    how_to_install_again,
    how_to_install_beside,
    how_to_prepare_authoring,
)
from animus_core.supply.install.install import install
from animus_core.supply.install.request import InstallRequest
from animus_core.version import VERSION

ROOT: Final = Path(__file__).parents[3]
FILES: Final = "animus-subject-files"
_NOT_OURS: Final = "pocket"  # what the demo works on
_INSTALLS: Final = re.compile(r"(?:pip|pipx|uv|plugin|tool)\s+(?:install|download|wheel)\s+([^\n#`]*)")
_ADVICE: Final = re.compile(r"\b[Ii]nstall\b([^\n#`{]*)")  # in prose; a `{` fills in the way that works
_NAME: Final = re.compile(r"(?:^|[\s\"'=])(animus[-_][a-z][a-z_-]*)(?=$|[\s\"'\[=<>~!,;).])")


def projects() -> dict[str, dict[str, Any]]:
    """The metadata of each distribution of this repository, by its name."""
    listed = subprocess.check_output(["git", "ls-files", "*pyproject.toml"], cwd=ROOT, text=True, timeout=30).split(
        "\n"
    )
    tables = [tomllib.loads((ROOT / path).read_text()) for path in listed if path and "{{" not in path]
    found = [table["project"] for table in tables if "project" in table]
    return {project["name"]: project for project in found if project["name"] != _NOT_OURS}


def requirements(project: dict[str, Any]) -> list[str]:
    extras = project.get("optional-dependencies", {}).values()
    return [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]


def test_the_list_of_our_distributions_is_what_the_repository_builds() -> None:
    assert set(projects()) == DISTRIBUTIONS
    assert PUBLISHED <= DISTRIBUTIONS


def test_the_core_is_installed_under_its_own_name() -> None:
    assert version("animus-runtime") == VERSION


def test_of_this_family_ours_depend_on_ours_alone_and_on_the_version_that_is_built_with_them() -> None:
    built = {name: project["version"] for name, project in projects().items()}
    for name, project in projects().items():
        for requirement in requirements(project):
            wanted = re.fullmatch(r"(animus[a-z-]*)(?:\[[a-z, ]+\])?(.*)", requirement)
            if wanted is not None:
                assert wanted[1] in DISTRIBUTIONS, name
                assert wanted[2] == f"=={built[wanted[1]]}", name


def installed_from_an_index(text: str) -> list[str]:
    """The names of this family that a text tells its readers to install, and that are not published."""
    commands = [*_INSTALLS.findall(text), *_ADVICE.findall(text)]
    names = [name for command in commands for name in _NAME.findall(f" {command}")]
    return [name for name in names if name.replace("_", "-") not in PUBLISHED]


def test_no_page_template_or_message_says_to_install_a_name_that_is_not_published() -> None:
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True, timeout=30).splitlines()
    read = [path for path in listed if "/tests/" not in path and (ROOT / path).is_file()]
    texts = {path: (ROOT / path).read_text(errors="replace") for path in read}
    found = {path: names for path, text in texts.items() if (names := installed_from_an_index(text))}
    assert found == {}
    for sentence in (
        "pip install animus-sdk",
        "animus plugin install animus-log-x==0.1",
        "pip install -U 'animus-sdk[http]'",
        "Install one, for example animus-subject-files.",
    ):
        assert installed_from_an_index(sentence), sentence
    for sentence in ("pip install ./animus-sdk", "pip install W/animus_sdk-*.whl", "pip install -e ./animus-x"):
        assert not installed_from_an_index(sentence), sentence


@pytest.fixture
def came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes down where the core was installed from, as pip does."""

    def note(url: str | None) -> None:
        info = tmp_path / "site" / "animus_runtime-0.1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: animus-runtime\nVersion: 0.1.0\n")
        (info / "direct_url.json").write_text("" if url is None else json.dumps({"url": url}))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return note


def test_a_core_from_a_clone_installs_from_the_wheels_of_that_clone(came_from: Any, tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    (clone / "core").mkdir(parents=True)
    (clone / "Makefile").touch()
    came_from((clone / "core").as_uri())
    build = f"make -C '{clone}' wheels &&"
    plugin = f"animus plugin install '{clone}'/dist/animus_subject_files-*.whl"
    assert how_to_install(FILES) == f"{build} PIP_FIND_LINKS='{clone}'/dist {plugin}"
    assert how_to_install_beside("animus-templates") == f"{build} pip install '{clone}'/dist/animus_templates-*.whl"
    assert how_to_prepare_authoring()[0] == f"{build} export PIP_FIND_LINKS='{clone}'/dist"


def test_a_core_from_a_folder_of_wheels_installs_from_that_folder(came_from: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "wheels" / "animus_runtime-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    came_from(wheel.as_uri())
    plugin = f"animus plugin install {wheel.parent}/animus_subject_files-*.whl"
    assert how_to_install(FILES) == f"PIP_FIND_LINKS={wheel.parent} {plugin}"
    assert how_to_install_beside("animus-templates") == f"pip install {wheel.parent}/animus_templates-*.whl"
    assert how_to_prepare_authoring()[0] == f"export PIP_FIND_LINKS={wheel.parent}"


@pytest.mark.parametrize("url", [None, "file:///gone/core", "https://somewhere/animus_runtime-0.1.0.whl"])
def test_a_core_that_does_not_know_where_it_came_from_names_the_folder_of_wheels(came_from: Any, url: str) -> None:
    came_from(url)
    assert how_to_install(FILES).startswith("PIP_FIND_LINKS=WHEELS animus plugin install WHEELS/animus_subject_files-*")
    assert how_to_install_beside("animus-templates").startswith("pip install WHEELS/animus_templates-*.whl")


def test_nobody_else_is_sent_to_an_index_either() -> None:
    assert how_to_install("animus-provider-claude").startswith("animus plugin install SOURCE")
    assert "claude" not in how_to_install("animus-provider-claude")


@pytest.mark.parametrize("source", ["animus-subject-files", "Animus_Subject_Files==0.1.0", "animus-subject-files[x]"])
def test_what_was_installed_by_a_name_of_ours_is_installed_again_in_the_way_that_works(source: str) -> None:
    assert how_to_install_again(source) == how_to_install(FILES)


@pytest.mark.parametrize("source", ["/w/animus-subject-files", "animus-provider-claude==1", "./animus-subject-files"])
def test_the_operators_own_sources_are_installed_again_as_they_were(source: str) -> None:
    assert how_to_install_again(source, development=True) == f"animus plugin install {source} --dev"


async def test_a_name_of_ours_that_no_index_has_is_answered_with_the_way_that_works(
    wheels: Any, tmp_path: Path
) -> None:
    async def yes(_question: str) -> bool:
        return True

    request = InstallRequest.parse(f"{FILES}==0.1.0", tmp_path)
    with pytest.raises(RetryLater) as refused:
        await install(tmp_path / "config", request, report=lambda _: None, confirm=yes)
    assert refused.value.hint is not None
    assert f"{FILES} is not in an index yet" in refused.value.hint
    assert how_to_install(FILES) in refused.value.hint
    assert f"./{FILES}" not in refused.value.hint
