"""Where plugins are looked for: the first of a name wins, a broken one reserves it, no untrusted one is executed."""

from __future__ import annotations

import os
from typing import Any

import pytest

from animus_core.errors import InvalidInput
from animus_core.launch_options import LaunchOptions, Limits
from animus_core.supply.discovery.candidates import Candidate
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import Lockfile
from animus_core.supply.trust import trust
from plugin_places import UNLOCKED, Places, X, messages

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
    found = await places.discover()
    assert found.plugins == ()
    why = f"{places.config}/plugins/{X}: may not be executed; it hides {places.root}/bin/script (environment)"
    assert messages(found) == {X: f"{why} of the same name"}
    assert places.executed == []


async def test_a_plugin_that_fails_reserves_its_name_and_says_what_it_hides(places: Places) -> None:
    places.plugin(f"config/plugins/{X}", code="exit 3")
    places.scripts = [(X, str(places.plugin("bin/script")))]
    found = await places.discover()
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
        " is not a folder",
        " is not a folder",
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
        await places.discover()


# == the project ==


async def test_nothing_of_an_untrusted_project_is_executed_reserved_or_followed(places: Places) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.plugin("project/tool")
    places.write("project/.animus/plugins.yaml", "plugins: {y: {binary: ./tool}}")
    mine = places.plugin(f"config/plugins/{X}", version="2")
    found = await places.discover(places.project)
    assert [(one.name, one.candidate.command) for one in found.plugins] == [(X, (str(mine),))]
    assert [(warning.message, warning.fix) for warning in found.warnings] == [
        (f"plugin {name}: comes with this repository and is not trusted", "animus trust") for name in ("y", X)
    ]
    assert places.executed == [f"config/plugins/{X}"]


async def test_a_trusted_projects_plugins_are_run_where_the_project_is(places: Places) -> None:
    places.plugin("project/tool", code="test -d .animus || exit 9; test $1 = extra || exit 8")
    places.write("project/.animus/plugins.yaml", "plugins: {y: {binary: [./tool, extra]}}")
    places.trust()
    found = await places.discover(places.project)
    assert [one.name for one in found.plugins] == ["y"]
    assert found.plugins[0].candidate.source == "project"
    assert (await places.discover()).plugins == (), "another project knows nothing of it"


async def test_trust_is_asked_for_again_just_before_something_is_executed(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.plugin(f"project/.animus/plugins/{X}")
    places.trust()

    def take_away(*arguments: Any, **options: Any) -> Any:
        trust.revoke(places.config, places.project)
        return fingerprint(*arguments, **options)

    monkeypatch.setattr("animus_core.supply.discovery.discover.fingerprint", take_away)
    found = await places.discover(places.project)
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
    found = await places.discover(places.project)
    assert [one.name for one in found.warnings] == [".animus/plugins.yaml"]
    assert why in found.warnings[0].message


def test_an_untrusted_project_names_so_many_plugins_and_no_more(places: Places) -> None:
    rows = "".join(f"  p{number}: {{binary: x}}\n" for number in range(60))
    places.write("project/.animus/plugins.yaml", f"plugins:\n{rows}")
    found = places.find()
    assert len(found.failures) == 51
    assert found.failures[-1].message == "10 more plugins come with this repository and are not trusted"
