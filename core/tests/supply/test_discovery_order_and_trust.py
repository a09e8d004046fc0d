"""Where plugins are looked for: the first of a name wins, a broken one reserves it, no untrusted one is executed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import InvalidInput, PluginFailed
from animus_core.launch_options import LaunchOptions, Limits
from animus_core.supply.discovery import candidates as candidates_module
from animus_core.supply.discovery.candidates import Candidate, Candidates, find_candidates
from animus_core.supply.discovery.discover import discover, refreshed
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import LockEntry, Lockfile
from animus_core.supply.trust import trust

MANIFEST = {
    "name": "p",
    "version": "1",
    "plugin_kind": "subject_backend",
    "description": "d",
    "protocol_version": "1.0.0",
}
X = "animus-plugin-x"
UNLOCKED = LaunchOptions({"PYTHONDONTWRITEBYTECODE": "1"})


class Places:
    """A configuration directory, a project, and folders beside; each plugin notes in `ran` that it was executed."""

    def __init__(self, root: Path) -> None:
        self.root, self.config, self.project, self.ran = root, root / "config", root / "project", root / "ran"
        for folder in (self.config, self.project):
            folder.mkdir()
        self.scripts: list[tuple[str, str]] = []

    def plugin(self, path: str, version: str = "1", code: str = "") -> Path:
        """An executable in shell."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        manifest = json.dumps({**MANIFEST, "version": version})
        file.write_text(f"#!/bin/sh\necho {path} >>{self.ran}\n{code}\necho '{manifest}'\n")
        file.chmod(0o755)
        return file

    def write(self, path: str, text: str) -> None:
        """A text file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def lock(self, program: Path, **changes: Any) -> LockEntry:
        """Note a program as installed."""
        now = fingerprint([str(program)])
        entry_fields = {
            "name": X,
            "version": "1",
            "plugin_kind": "custom",
            "source": "./x.whl",
            "command": [str(program)],
        }
        entry_fields |= {"digest": now.digest, "interpreter": now.interpreter, "installed_at": "2026-01-01T00:00:00Z"}
        entry = LockEntry.model_validate({**entry_fields, **changes})
        Lockfile.read(self.config).set(entry, now.files)
        return entry

    def trust(self) -> None:
        """Trust the project as it is."""
        trust.grant(self.config, self.project)

    def find(self, **options: Any) -> Candidates:
        """Every candidate."""
        return find_candidates(self.config, self.project, **options)

    @property
    def executed(self) -> list[str]:
        """Which plugins were executed, in order."""
        return self.ran.read_text().split() if self.ran.exists() else []


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    made = Places(tmp_path)
    monkeypatch.setattr(candidates_module, "installed_scripts", lambda: made.scripts)
    for name in ("ANIMUS_PLUGIN_DIR", "ANIMUS_PLUGIN_PATH", "ANIMUS_CACHE_DIR", "ANIMUS_DISABLE_MANIFEST_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return made


def messages(found: Any) -> dict[str, str]:
    """The warnings of a search or a discovery, without their plugin's name."""
    failures = found.failures if isinstance(found, Candidates) else found.warnings
    return {one.name: one.message.removeprefix(f"plugin {one.name}: ") for one in failures}


# == the order ==


def test_the_first_of_a_name_wins_in_the_order_of_the_places(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    path = places.plugin(f"path/{X}")
    monkeypatch.setenv("PATH", f"relative:{path.parent}")
    script = places.plugin("bin/script")
    places.scripts = [(X, str(script))]
    extra = places.plugin(f"extra/{X}")
    monkeypatch.setenv("ANIMUS_PLUGIN_PATH", f"{extra.parent}:")
    user = places.plugin(f"config/plugins/{X}")
    locked = places.plugin("locked/program")
    entry = places.lock(locked)
    places.write("config/plugins.yaml", f"plugins: {{{X}: {{binary: /from/registry}}}}\ninclude_system_path: true\n")
    mine = places.plugin(f"project/.animus/plugins/{X}")
    places.write("project/.animus/plugins.yaml", f"plugins: {{{X}: {{binary: tools/x}}}}\n")
    places.trust()
    root = str(places.project)
    expected = [
        Candidate(X, (f"{root}/tools/x",), "project", cwd=root),
        Candidate(X, ("/from/registry",), "registry"),
        Candidate(X, (str(locked),), "installed", UNLOCKED, entry),
        Candidate(X, (str(user),), "folder"),
        Candidate(X, (str(extra),), "plugin-path"),
        Candidate(X, (str(script),), "environment"),
        Candidate(X, (str(path),), "system-path"),
    ]
    found = places.find()
    assert (found.first, found.hidden) == ((expected[0],), {X: tuple(expected[1:])})
    places.write("project/.animus/plugins.yaml", "")
    places.trust()
    assert places.find().first == (Candidate(X, (str(mine),), "project", cwd=root),)
    for path in (mine, places.config / "plugins.yaml"):
        path.unlink()
    assert places.find(search_path=True).first == (expected[2],)
    Lockfile.read(places.config).remove(X)
    user.unlink()
    assert places.find(search_path=True).first == (expected[4],)
    extra.unlink()
    assert places.find(search_path=True).first == (expected[5],)
    places.scripts = []
    assert places.find(search_path=True).first == (expected[6],)
    assert places.find().first == ()
    assert places.executed == []


def test_a_folder_offers_programs_by_their_names_and_says_which_are_broken(places: Places) -> None:
    names = ("animus-web-ui-a", "animus-provider-b.py", "animus-queue-c")
    for name in names:
        places.plugin(f"config/plugins/{name}")
    for name in ("animus-thing-x", "other", "animus-plugin-", "animus-plugin-x y", "Animus-plugin-x"):
        places.plugin(f"config/plugins/{name}")
    folder = places.config / "plugins"
    (folder / "animus-log-folder-0a1b2c").mkdir()
    (folder / "animus-custom-link").symlink_to(folder / names[0])
    places.write("config/plugins/animus-subject-plain", "no program")
    (folder / "animus-trigger-dangling").symlink_to("nowhere")
    os.mkfifo(folder / "animus-notifier-pipe")
    found = places.find()
    assert {one.name for one in found.first} == {*names, "animus-custom-link"}
    assert messages(found) == {
        "animus-subject-plain": f"{folder}/animus-subject-plain: may not be executed",
        "animus-trigger-dangling": f"{folder}/animus-trigger-dangling: leads nowhere: No such file or directory",
        "animus-notifier-pipe": f"{folder}/animus-notifier-pipe: is neither a file nor a folder",
    }
    assert next(one.fix for one in found.failures if one.name == "animus-subject-plain").startswith("chmod +x ")


async def test_a_broken_file_reserves_its_name_and_says_what_it_hides(places: Places) -> None:
    places.write(f"config/plugins/{X}", "no program")
    places.scripts = [(X, str(places.plugin("bin/script")))]
    found = await discover(places.config)
    assert found.plugins == ()
    why = f"{places.config}/plugins/{X}: may not be executed; it hides {places.root}/bin/script (environment)"
    assert messages(found) == {X: f"{why} of the same name"}
    assert places.executed == []


async def test_a_plugin_that_fails_reserves_its_name_and_says_what_it_hides(places: Places) -> None:
    places.plugin(f"config/plugins/{X}", code="exit 3")
    places.scripts = [(X, str(places.plugin("bin/script")))]
    found = await discover(places.config)
    assert messages(found)[X].startswith("--manifest ended with exit code 3; it hides ")
    assert found.warnings[0].fix == f"See why: {places.config}/plugins/{X} --manifest"
    assert places.executed == [f"config/plugins/{X}"]


def test_folders_that_the_operator_names_must_be_folders_with_absolute_paths(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.plugin(f"config/plugins/{X}")
    places.plugin("own/animus-plugin-y")
    monkeypatch.chdir(places.root)
    monkeypatch.setenv("ANIMUS_PLUGIN_PATH", f"own:{places.root}/absent:{places.root}/own/animus-plugin-y")
    monkeypatch.setenv("ANIMUS_PLUGIN_DIR", f"{places.root}/own")
    found = places.find()
    assert [one.name for one in found.first] == ["animus-plugin-y"]
    assert [one.message.split("'")[2] for one in found.failures] == [
        " is not absolute and means another place in each folder",
        " is no folder",
        " is no folder",
    ]
    monkeypatch.setenv("ANIMUS_PLUGIN_DIR", "own")
    assert places.find().first == ()


# == the operator's registry ==


def test_a_row_without_a_program_gives_settings_to_what_is_found_elsewhere(places: Places) -> None:
    program = places.plugin("locked/program")
    places.lock(program)
    places.scripts = [("other", "/bin/false")]
    places.write(
        "config/plugins.yaml",
        f"plugins:\n  {X}: {{env: {{A: b}}, pass_env: [HOME], limits: {{memory_mb: 9}}}}\n  nobody: {{}}\n",
    )
    found = places.find()
    given = LaunchOptions({"PYTHONDONTWRITEBYTECODE": "1", "A": "b"}, ("HOME",), Limits(9))
    assert [one.options for one in found.first] == [given, LaunchOptions()]
    assert messages(found) == {"nobody": "plugins.yaml has settings for it, and no plugin of this name was found"}


def test_settings_of_a_row_with_a_program_are_for_that_program_alone(places: Places) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.write("config/plugins.yaml", f"plugins: {{{X}: {{binary: /x, env: {{TOKEN: secret}}}}}}")
    places.trust()
    found = places.find()
    assert found.first[0].options == LaunchOptions()
    assert found.hidden[X][0].options.env == {"TOKEN": "secret"}


async def test_an_operators_registry_that_cannot_be_read_stops_everything(places: Places) -> None:
    places.write("config/plugins.yaml", "plugins: [")
    with pytest.raises(InvalidInput, match=r"plugins\.yaml:1: not valid YAML"):
        await discover(places.config)


# == the project ==


async def test_nothing_of_an_untrusted_project_is_executed_reserved_or_followed(places: Places) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.plugin("project/tool")
    places.write("project/.animus/plugins.yaml", "plugins: {y: {binary: ./tool}}")
    mine = places.plugin(f"config/plugins/{X}", version="2")
    found = await discover(places.config, places.project)
    assert [(one.name, one.candidate.command) for one in found.plugins] == [(X, (str(mine),))]
    assert [tuple(one) for one in found.warnings] == [
        (name, f"plugin {name}: comes with this repository and is not trusted", "animus trust") for name in ("y", X)
    ]
    assert places.executed == [f"config/plugins/{X}"]


async def test_a_trusted_projects_plugins_are_run_where_the_project_is(places: Places) -> None:
    places.plugin("project/tool", code="test -d .animus || exit 9; test $1 = extra || exit 8")
    places.write("project/.animus/plugins.yaml", "plugins: {y: {binary: [./tool, extra]}}")
    places.trust()
    found = await discover(places.config, places.project)
    assert [one.name for one in found.plugins] == ["y"]
    assert found.plugins[0].candidate.source == "project"
    assert (await discover(places.config)).plugins == (), "another project knows nothing of it"


async def test_trust_is_asked_for_again_just_before_something_is_executed(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.trust()

    def take_away(*arguments: Any, **options: Any) -> Any:
        trust.revoke(places.config, places.project)
        return fingerprint(*arguments, **options)

    monkeypatch.setattr("animus_core.supply.discovery.discover.fingerprint", take_away)
    found = await discover(places.config, places.project)
    assert (found.plugins, messages(found)) == ((), {X: "comes with this repository and is not trusted"})
    assert found.warnings[0].fix == "animus trust"
    assert places.executed == []


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("plugins: [", "plugins.yaml:1: not valid YAML"),
        ("plugins: {y: {binary: x, env: {A: b}}}", "plugins.yaml:1: plugins.y.env: is not taken"),
        ('plugins: {y: {"\\e[31m": x}}', r"plugins.yaml:1: plugins.y.\x1b[31m: is not a known key"),
        ("#" * 1100000, "plugins.yaml: cannot be read: it is larger than 1048576 bytes"),
    ],
    ids=["syntax", "env", "escape", "size"],
)
async def test_a_projects_broken_registry_is_one_warning(trusted: bool, text: str, why: str, places: Places) -> None:
    places.write("project/.animus/plugins.yaml", text)
    if trusted:
        places.trust()
    found = await discover(places.config, places.project)
    assert [one.name for one in found.warnings] == [".animus/plugins.yaml"]
    assert why in found.warnings[0].message


def test_an_untrusted_project_names_so_many_plugins_and_no_more(places: Places) -> None:
    rows = "".join(f"  p{number}: {{binary: x}}\n" for number in range(60))
    places.write("project/.animus/plugins.yaml", f"plugins:\n{rows}")
    found = places.find()
    assert len(found.failures) == 51
    assert found.failures[-1].message == "10 more plugins come with this repository and are not trusted"


# == what is installed ==


async def test_what_changed_since_it_was_installed_is_not_executed_and_keeps_its_name(places: Places) -> None:
    program = places.plugin("locked/program")
    places.lock(program)
    places.scripts = [(X, str(places.plugin("bin/script")))]
    assert [one.candidate.source for one in (await discover(places.config)).plugins] == ["installed"]
    places.plugin("locked/program", version="2")
    places.ran.unlink()
    found = await discover(places.config)
    assert found.plugins == ()
    assert messages(found)[X].startswith(f"it changed since it was installed: {program}; it hides ")
    assert found.warnings[0].fix == "animus plugin install ./x.whl  (or: animus plugin doctor)"
    assert places.executed == []


async def test_a_development_install_may_change_and_is_called_so(places: Places) -> None:
    places.lock(places.plugin("locked/program"), development=True)
    places.plugin("locked/program", version="2")
    (plugin,) = (await discover(places.config)).plugins
    assert (plugin.candidate.source, plugin.manifest.version, plugin.candidate.options.env) == ("development", "2", {})


async def test_an_unreadable_lock_means_no_installed_plugin_and_one_warning(places: Places) -> None:
    places.lock(places.plugin("locked/program"))
    places.write("config/plugins.lock", "{")
    places.plugin("config/plugins/animus-plugin-y")
    found = await discover(places.config)
    assert [one.name for one in found.plugins] == ["animus-plugin-y"]
    assert [one.name for one in found.warnings] == ["plugins.lock"]
    assert "cannot be read" in found.warnings[0].message


# == before each start ==


async def test_a_plugin_that_did_not_change_is_the_same_without_a_process(places: Places) -> None:
    places.plugin(f"config/plugins/{X}")
    (plugin,) = (await discover(places.config)).plugins
    places.ran.unlink()
    assert await refreshed(plugin, places.config) is plugin
    assert (await refreshed(plugin._replace(digest=""), places.config)).digest == ""
    assert places.executed == []


async def test_a_plugin_that_changed_is_asked_again(places: Places) -> None:
    program = places.plugin(f"config/plugins/{X}")
    (plugin,) = (await discover(places.config)).plugins
    places.plugin(f"config/plugins/{X}", version="2")
    again = await refreshed(plugin, places.config)
    assert (again.manifest.version, again.candidate) == ("2", plugin.candidate)
    assert again.digest != plugin.digest
    program.unlink()
    with pytest.raises(PluginFailed, match=f"plugin {X}: cannot be started"):
        await refreshed(again, places.config)


async def test_an_installed_plugin_that_changed_is_not_started_again(places: Places) -> None:
    program = places.plugin("locked/program")
    places.lock(program)
    (plugin,) = (await discover(places.config)).plugins
    places.plugin("locked/program", version="2")
    places.ran.unlink()
    with pytest.raises(PluginFailed) as raised:
        await refreshed(plugin, places.config)
    assert raised.value.message == f"plugin {X}: it changed since it was installed: {program}"
    assert raised.value.remedy == "animus plugin install ./x.whl  (or: animus plugin doctor)"
    assert places.executed == []


async def test_a_plugin_that_was_installed_anew_is_taken_as_it_is_now(places: Places) -> None:
    places.lock(places.plugin("locked/one"))
    (plugin,) = (await discover(places.config)).plugins
    entry = places.lock(places.plugin("locked/two", version="2"))
    again = await refreshed(plugin, places.config)
    assert (again.candidate.locked, again.candidate.command, again.manifest.version) == (entry, entry.command, "2")
    Lockfile.read(places.config).remove(X)
    with pytest.raises(PluginFailed, match="it was uninstalled"):
        await refreshed(again, places.config)
    places.write("config/plugins.lock", "{")
    with pytest.raises(PluginFailed, match=r"plugins\.lock: cannot be read"):
        await refreshed(again, places.config)


async def test_a_projects_plugin_is_not_started_again_when_trust_is_gone(places: Places) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.trust()
    (plugin,) = (await discover(places.config, places.project)).plugins
    places.write("project/.animus/workflows.yaml", "changed: by an agent")
    places.ran.unlink()
    with pytest.raises(PluginFailed, match="comes with this repository and is not trusted"):
        await refreshed(plugin, places.config)
    assert places.executed == []


@pytest.mark.parametrize(
    ("command", "from_the_project"),
    [
        (["python3", "-m", "tool"], True),
        (["/usr/bin/python3.11", "-u", "-mtool"], True),
        (["python", "-X", "dev", "-c", "import tool"], True),
        (["python3", "-P", "-m", "tool"], False),
        (["python3", "-Im", "tool"], False),
        (["python3", "-uI", "-m", "tool"], False),
        (["python3", "tool.py", "-m"], False),
        (["python3"], False),
        (["node", "-m", "tool"], False),
    ],
)
def test_a_command_that_imports_from_the_project_is_told_apart(command: list[str], from_the_project: bool) -> None:
    assert candidates_module.imports_from_the_project(command) is from_the_project


def test_a_row_that_would_import_from_whatever_project_it_works_in_is_not_used_and_says_how_to_write_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "plugins.yaml").write_text("plugins: {tool: {binary: [python3, -m, tool]}}\n")
    found = candidates_module.find_candidates(tmp_path)
    assert "tool" not in [candidate.name for candidate in found.first]
    failure = next(failure for failure in found.failures if failure.name == "tool")
    assert "put -P before -m" in failure.fix
