"""What changed since it was installed, probed or trusted is noticed at discovery and before each start."""

from __future__ import annotations

from pathlib import Path

import pytest

from animus_core.errors import PluginFailed
from animus_core.supply.discovery import candidates as candidates_module
from animus_core.supply.discovery.discover import refreshed
from animus_core.supply.lock.lockfile import Lockfile
from plugin_places import Places, X, messages

# == what is installed ==


async def test_what_changed_since_it_was_installed_is_not_executed_and_keeps_its_name(places: Places) -> None:
    program = places.plugin("locked/program")
    places.lock(program)
    places.scripts = [(X, str(places.plugin("bin/script")))]
    assert [one.candidate.source for one in (await places.discover()).plugins] == ["installed"]
    places.plugin("locked/program", version="2")
    places.ran.unlink()
    found = await places.discover()
    assert found.plugins == ()
    assert messages(found)[X].startswith(f"it changed since it was installed: {program}; it hides ")
    assert found.warnings[0].fix == "animus plugin install ./x.whl  (or: animus plugin doctor)"
    assert places.executed == []


async def test_a_development_install_may_change_and_is_called_so(places: Places) -> None:
    places.lock(places.plugin("locked/program"), development=True)
    places.plugin("locked/program", version="2")
    (plugin,) = (await places.discover()).plugins
    assert (plugin.candidate.source, plugin.manifest.version, plugin.candidate.options.env) == ("development", "2", {})


async def test_an_unreadable_lock_means_no_installed_plugin_and_one_warning(places: Places) -> None:
    places.lock(places.plugin("locked/program"))
    places.write("config/plugins.lock", "{")
    places.plugin("config/plugins/animus-plugin-y")
    found = await places.discover()
    assert [one.name for one in found.plugins] == ["animus-plugin-y"]
    assert [one.name for one in found.warnings] == ["plugins.lock"]
    assert "cannot be read" in found.warnings[0].message


# == before each start ==


async def test_a_plugin_that_did_not_change_is_the_same_without_a_process(places: Places) -> None:
    places.plugin(f"config/plugins/{X}")
    (plugin,) = (await places.discover()).plugins
    places.ran.unlink()
    assert await refreshed(plugin, places.config) is plugin
    assert (await refreshed(plugin._replace(digest=""), places.config)).digest == ""
    assert places.executed == []


async def test_a_plugin_that_changed_is_asked_again(places: Places) -> None:
    program = places.plugin(f"config/plugins/{X}")
    (plugin,) = (await places.discover()).plugins
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
    (plugin,) = (await places.discover()).plugins
    places.plugin("locked/program", version="2")
    places.ran.unlink()
    with pytest.raises(PluginFailed) as raised:
        await refreshed(plugin, places.config)
    assert raised.value.message == f"plugin {X}: it changed since it was installed: {program}"
    assert raised.value.remedy == "animus plugin install ./x.whl  (or: animus plugin doctor)"
    assert places.executed == []


async def test_a_plugin_that_was_installed_anew_is_taken_as_it_is_now(places: Places) -> None:
    places.lock(places.plugin("locked/one"))
    (plugin,) = (await places.discover()).plugins
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
    (plugin,) = (await places.discover(places.project)).plugins
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
