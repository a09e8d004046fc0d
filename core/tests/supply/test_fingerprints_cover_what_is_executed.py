"""A fingerprint changes when anything that is executed does, and with nothing else; a file that rests costs no read."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import RetryLater
from animus_core.store.caches import cache_folder
from animus_core.supply.lock import fingerprint as fingerprint_module
from animus_core.supply.lock.fingerprint import changes, fingerprint
from animus_core.supply.lock.fingerprint_files import FingerprintBounds

PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
COMPILED = f"{PACKAGES}/pack/__pycache__/__init__.cpython-311.pyc"
FILES = st.dictionaries(st.text("abc", max_size=2), st.text("xy", max_size=1))
Change = Callable[[Path], object]
AT_REST = FingerprintBounds(settled_ns=-(10**18))
"""Files that were written just now count as long at rest."""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """What `python -m venv` and an installation leave, without any of their work."""
    root = tmp_path / "venv"
    beside = tmp_path / "beside"
    for folder in (root / "bin", root / PACKAGES / "pack/__pycache__", root / "x", beside):
        folder.mkdir(parents=True)
    (root / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (root / "bin/python").symlink_to(os.path.realpath(sys.executable))
    (root / "bin/python3").symlink_to("python")
    (root / "bin/animus-plugin-x").write_text(f"#!{root}/bin/python\nimport pack\n")
    (root / "bin/animus-plugin-x").chmod(0o755)
    (root / PACKAGES / "pack/__init__.py").write_text("pass\n")
    (root / COMPILED).write_bytes(b"\x00code")
    (root / PACKAGES / "more.pth").write_text("../more\n")
    (beside / "linked.py").write_text("pass\n")
    (root / PACKAGES / "linked.py").symlink_to(beside / "linked.py")
    (root / PACKAGES / "folder").symlink_to(beside)
    return root


def script(venv: Path) -> list[str]:
    return [str(venv / "bin/animus-plugin-x")]


def edit(name: str, text: str = "changed\n") -> Change:
    return lambda root: (root / name).write_text(text)


def relink(name: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / name).unlink()
        (root / name).symlink_to(target)

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (edit(f"{PACKAGES}/pack/__init__.py"), f"{PACKAGES}/pack/__init__.py"),
        (edit(COMPILED), COMPILED),
        (edit(f"{PACKAGES}/more.pth"), f"{PACKAGES}/more.pth"),
        (edit(f"{PACKAGES}/sitecustomize.py"), f"{PACKAGES}/sitecustomize.py (added)"),
        (edit("pyvenv.cfg"), "pyvenv.cfg"),
        (edit("bin/animus-plugin-x", "#!/bin/sh\n"), "bin/animus-plugin-x"),
        (lambda root: (root / f"{PACKAGES}/more.pth").chmod(0o755), f"{PACKAGES}/more.pth"),
        (lambda root: (root / f"{PACKAGES}/more.pth").unlink(), f"{PACKAGES}/more.pth (removed)"),
        (lambda root: os.mkfifo(root / "pipe"), "pipe (added)"),
        (relink("bin/python3", "python3.11"), "bin/python3"),
        (relink(f"{PACKAGES}/linked.py", "pack/__init__.py"), f"{PACKAGES}/linked.py"),
        (lambda root: (root / "../beside/linked.py").write_text("changed"), f"{PACKAGES}/folder/linked.py"),
        (lambda root: (root / "../beside/new.py").write_text("new"), f"{PACKAGES}/folder/new.py (added)"),
    ],
)
def test_a_change_in_an_environment_is_a_change_and_has_its_name(change: Change, named: str, venv: Path) -> None:
    before = fingerprint(script(venv))
    change(venv)
    after = fingerprint(script(venv))
    assert after.digest != before.digest
    assert named in changes(before.files, after.files)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: os.utime(root / "pyvenv.cfg", (1, 1)),
        lambda root: (root / "empty").mkdir(),
        lambda root: (root / "x").rmdir(),
        lambda root: (root.parent / "neighbour").write_text("not executed"),
        lambda root: (root / "bin/animus-plugin-x").chmod(0o700),
    ],
)
def test_what_is_not_executed_is_no_change(change: Change, venv: Path) -> None:
    before = fingerprint(script(venv))
    change(venv)
    assert fingerprint(script(venv)) == before


def test_the_same_environment_is_found_through_links_scripts_and_arguments(venv: Path, tmp_path: Path) -> None:
    module = venv / PACKAGES / "pack/__init__.py"
    (tmp_path / "link").symlink_to("link2")
    (tmp_path / "link2").symlink_to(venv / "bin/animus-plugin-x")
    (tmp_path / "outside").write_text(f"#!{venv}/bin/python -I\n")
    (tmp_path / "outside").chmod(0o755)
    commands = [
        [str(tmp_path / "link")],
        [str(tmp_path / "outside")],
        [str(venv / "bin/python"), "-m", "pack"],
        ["/usr/bin/env", "A=b", str(venv / "bin/animus-plugin-x")],
    ]
    before = [fingerprint(command) for command in commands]
    assert {one.kind for one in before} == {"venv"}
    module.write_text("changed\n")
    for command, one in zip(commands, before, strict=True):
        assert changes(one.files, fingerprint(command).files) == [f"{PACKAGES}/pack/__init__.py"]


def test_a_command_outside_an_environment_counts_with_each_file_that_it_names(tmp_path: Path) -> None:
    program, module, real = tmp_path / "program", tmp_path / "module.py", tmp_path / "real"
    real.write_text("#!/usr/bin/env -S sh -e\n")
    real.chmod(0o755)
    program.symlink_to("real")
    module.write_text("pass")
    command = [str(program), "module.py", "-x", "no-file", "nul\0", str(tmp_path)]

    def take() -> str:
        return fingerprint(command, cwd=str(tmp_path)).digest

    first = take()
    assert fingerprint(command, cwd=str(tmp_path)).kind == "files"
    seen = {first}
    for change in (
        lambda: module.write_text("other"),
        lambda: real.write_text("#!/bin/sh\n"),
        lambda: real.chmod(0o711),
        lambda: (tmp_path / "no-file").write_text("a file now"),
        lambda: shutil.copy(real, tmp_path / "second"),
        lambda: (program.unlink(), program.symlink_to("second")),
    ):
        change()
        seen.add(take())
    assert len(seen) == 5  # the copy is not run when it is made, and the other mode is executable too
    assert fingerprint([*command, "y"], cwd=str(tmp_path)).digest not in seen


def test_a_program_without_a_slash_is_the_one_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text(f"#!/bin/sh\n# {name}\n")
        (tmp_path / name / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/one:{tmp_path}/two")
    first = fingerprint(["tool"])
    monkeypatch.setenv("PATH", f"{tmp_path}/two:{tmp_path}/one")
    assert fingerprint(["tool"]).digest != first.digest
    assert [name for name in first.files if "interpreter" not in name] == [f"{tmp_path}/one/tool"]


def test_the_cores_own_environment_is_known_by_what_is_installed_in_it(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = venv / PACKAGES
    (packages / "pack-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "prefix", str(venv))
    monkeypatch.setattr("site.getsitepackages", lambda: [str(packages), str(tmp_path / "absent")])
    first = fingerprint(script(venv))
    assert (first.kind, first.editable, list(first.files)) == (
        "environment",
        False,
        [f"its interpreter {venv}", *script(venv)],
    )
    (packages / "pack/__init__.py").write_text("a developer at work\n")
    assert fingerprint(script(venv)) == first
    (packages / "pack-1.0.dist-info").rename(packages / "pack-1.1.dist-info")
    second = fingerprint(script(venv))
    os.utime(packages / "pack-1.1.dist-info", (1, 1))
    third = fingerprint(script(venv))
    edit("bin/animus-plugin-x", "#!/bin/sh\n")(venv)
    assert len({one.digest for one in (first, second, third, fingerprint(script(venv)))}) == 4


@pytest.mark.parametrize("own", [False, True])
def test_code_that_is_executed_where_its_author_works_is_told(
    own: bool, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own:
        monkeypatch.setattr(sys, "prefix", str(venv))
        monkeypatch.setattr("site.getsitepackages", lambda: [str(venv / PACKAGES)])
    note = venv / PACKAGES / "pack-1.0.dist-info/direct_url.json"
    note.parent.mkdir()
    for text, editable in (("{", False), ('{"dir_info": {}}', False), ('{"dir_info": {"editable": true}}', True)):
        note.write_text(text)
        assert fingerprint(script(venv)).editable is editable


# == the interpreter ==


def test_a_script_that_another_interpreter_would_run_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "snake").write_text("#!/bin/sh\n")
        (tmp_path / name / "snake").chmod(0o755)
    (tmp_path / "tool").write_text("#!/usr/bin/env snake\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/one")
    first = fingerprint([str(tmp_path / "tool")])
    monkeypatch.setenv("PATH", f"{tmp_path}/two")
    second = fingerprint([str(tmp_path / "tool")])
    assert second.digest != first.digest
    assert changes(first.files, second.files) == [
        f"its interpreter {tmp_path}/one/snake (removed)",
        f"its interpreter {tmp_path}/two/snake (added)",
    ]


def test_an_environment_counts_with_its_interpreters_place_content_and_version(venv: Path, tmp_path: Path) -> None:
    python = tmp_path / "python-of-the-system"
    python.write_text("#!/bin/sh\necho 3.11.1\n")
    python.chmod(0o755)
    relink("bin/python", str(python))(venv)
    first = fingerprint(script(venv))
    assert first.interpreter == str(python)
    assert first.files[f"its interpreter {python}"].endswith(" 3.11.1")
    python.write_text("#!/bin/sh\necho 3.11.2\n")
    listed = changes(first.files, fingerprint(script(venv)).files)
    assert f"its interpreter {python}" in listed
    python.unlink()
    gone = fingerprint(script(venv))
    assert (gone.interpreter, gone.files[f"its interpreter {python}"]) == (str(python), "")


@pytest.mark.parametrize("where", ["elsewhere", "venv/bin"])
def test_an_interpreter_that_took_anothers_place_is_not_run(where: str, venv: Path, tmp_path: Path) -> None:
    recorded = fingerprint(script(venv)).interpreter
    planted, mark = tmp_path / where / "planted", tmp_path / "mark"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"#!/bin/sh\ntouch {mark}\n")
    planted.chmod(0o755)
    relink("bin/python", str(planted))(venv)
    found = fingerprint(script(venv), interpreter=recorded)
    assert found.interpreter == str(planted)
    assert not mark.exists()


@pytest.mark.parametrize("code", ["exit 3", "sleep 600 & sleep 600", "exec /no/such/program"])
def test_an_interpreter_that_does_not_answer_has_no_version(code: str, venv: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{code}\n")
    python.chmod(0o755)
    relink("bin/python", str(python))(venv)
    found = fingerprint(script(venv), bounds=FingerprintBounds(ask_s=0.3))
    assert len(found.files[f"its interpreter {python}"]) == 16


# == what cannot be fingerprinted ==


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/no/such/program"], "cannot be started: /no/such/program: No such file"),
        (["no-such-program-anywhere"], "cannot be started: no-such-program-anywhere: there is no such program in PATH"),
        (["/tmp"], "cannot be started: /tmp: it is not a regular file"),
        (["/dev/null"], "cannot be started: /dev/null: it is not a regular file"),
        (["/etc/passwd"], "cannot be started: /etc/passwd: it may not be executed"),
        (["/nul\0byte"], r"cannot be started: /nul\x00byte: a path cannot have a NUL byte in it"),
    ],
)
def test_a_program_that_cannot_be_run_is_named(command: list[str], why: str) -> None:
    with pytest.raises(RetryLater) as raised:
        fingerprint(command)
    assert raised.value.message.startswith(why)


def test_an_environment_without_bounds_is_refused(venv: Path) -> None:
    with pytest.raises(RetryLater, match="more than 5 files"):
        fingerprint(script(venv), bounds=FingerprintBounds(files=5))


def test_links_in_a_circle_end(venv: Path) -> None:
    (venv / "x/self").symlink_to("self")
    (venv / "x/up").symlink_to("../..")
    (venv / "../beside/back").symlink_to(venv)
    (venv / "../beside/again").symlink_to("../beside")
    assert fingerprint(script(venv)).kind == "venv"


# == the cache ==


def test_a_file_at_rest_is_not_read_again(venv: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    before = fingerprint(script(venv), cache, bounds=AT_REST)
    assert before == fingerprint(script(venv), cache, bounds=AT_REST) == fingerprint(script(venv))
    (kept,) = cache.iterdir()
    listed = json.loads(kept.read_text())
    module = str(venv / PACKAGES / "pack/__init__.py")
    listed["files"][module] = listed["files"][module][:-64] + "0" * 64
    kept.write_text(json.dumps(listed))
    now = fingerprint(script(venv), cache, bounds=AT_REST)
    assert changes(before.files, now.files) == [f"{PACKAGES}/pack/__init__.py"]
    assert fingerprint(script(venv)) == before, "without the cache all is read"
    edit(f"{PACKAGES}/pack/__init__.py", "pass\n")(venv)
    assert fingerprint(script(venv), cache, bounds=AT_REST) == before, "it moved, and was read"


def test_a_file_that_changed_just_now_is_read_the_next_time_too(venv: Path, tmp_path: Path) -> None:
    first = fingerprint(script(venv), tmp_path)
    (kept,) = tmp_path.glob("*.json")
    assert str(venv / "pyvenv.cfg") not in kept.read_text()
    assert fingerprint(script(venv), tmp_path) == first


@pytest.mark.parametrize("content", ["", "{", "[]", '{"v": 2}', '{"v": 1, "files": 3}', '{"v": 1, "files": {"x": 3}}'])
def test_a_broken_cache_is_none(content: str, venv: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    before = fingerprint(script(venv), cache, bounds=AT_REST)
    (kept,) = cache.iterdir()
    good = kept.read_text()
    kept.write_text(content)
    assert fingerprint(script(venv), cache, bounds=AT_REST) == before
    assert kept.read_text() == good


def test_the_cache_keeps_so_many_files(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.json").touch()
    fingerprint(["/bin/sh"], tmp_path, bounds=AT_REST)
    assert len(list(tmp_path.iterdir())) == 256


def test_a_cache_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path, "part", {})
    assert folder == tmp_path / "cache/part"
    folder.chmod(0o770)
    assert cache_folder(tmp_path, "part", {}) is None
    assert cache_folder(tmp_path / "absent", "part", {}) is None
    assert cache_folder(tmp_path, "part", {"ANIMUS_CACHE_DIR": "relative"}) is None
    assert cache_folder(tmp_path, "part", {"ANIMUS_CACHE_DIR": "/dev/null/x"}) is None
    assert cache_folder(tmp_path / "absent", "part", {"ANIMUS_CACHE_DIR": f"{tmp_path}/e"}) == tmp_path / "e/part"


# == naming changes ==


@given(FILES, FILES)
def test_changes_name_what_differs_and_at_most_so_many(before: dict[str, str], after: dict[str, str]) -> None:
    listed = changes(before, after, most=3)
    differ = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert len(listed) == min(len(differ), 4)
    assert {line.split(" (")[0] for line in listed[:3]} <= differ
    if len(differ) > 3:
        assert listed[3] == f"{len(differ) - 3} more"


def test_an_editable_installation_of_our_own_environment_is_known_by_the_modules_that_its_author_works_on(
    tmp_path: Path,
) -> None:
    module = tmp_path / "project" / "src" / "tool" / "code.py"
    module.parent.mkdir(parents=True)
    module.write_text("one = 1")
    note = tmp_path / "direct_url.json"
    note.write_text(json.dumps({"dir_info": {"editable": True}, "url": (tmp_path / "project").as_uri()}))
    before = fingerprint_module._sources_of(str(note))
    assert before is not None
    assert fingerprint_module._sources_of(str(note)) == before
    module.write_text("two = 22")
    assert fingerprint_module._sources_of(str(note)) != before
    note.write_text(json.dumps({"dir_info": {"editable": True}, "url": (tmp_path / "nowhere").as_uri()}))
    assert fingerprint_module._sources_of(str(note)) is None
