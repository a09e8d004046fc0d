"""`plugin/*` on the control socket, as far as no plugin has to run for it: list, info, install, uninstall.

Below lie the services. What needs a registry of plugins is answered "not supported": there is none.
"""

from __future__ import annotations

import logging
import os
from typing import Final, NoReturn

from animus_core.errors import UnknownName
from animus_core.services.plugins import PluginLocations, install, installed_to_wire, to_wire, uninstall
from animus_core.services.project import Project
from animus_core.store.paths import config_dir
from animus_core.supply.install.install import Installed
from animus_core.supply.install.request import InstallRequest
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import NotSupported
from animus_protocol.models.common import Acknowledged
from animus_protocol.models.control import plugin as wire

__all__ = ["installation_methods"]

_log: Final = logging.getLogger("animus.control")


def installation_methods(table: Dispatcher, project: Project) -> None:
    """Add them to the table of `project`."""
    locations = PluginLocations(config_dir(os.environ), project.scope.project_root)
    table.answer(wire.PLUGIN_LIST, lambda params, _: _list(project, params))
    table.answer(wire.PLUGIN_INFO, lambda params, _: _info(project, params))
    table.answer(wire.PLUGIN_INSTALL, lambda params, _: _install(project, locations, params))
    table.answer(wire.PLUGIN_UNINSTALL, lambda params, _: _uninstall(project, locations, params))
    table.answer(wire.PLUGIN_SEARCH, lambda params, _: _no_registry("plugin/search"))
    table.answer(wire.PLUGIN_BROWSE, lambda params, _: _no_registry("plugin/browse"))
    table.answer(wire.PLUGIN_UPDATE, lambda params, _: _no_registry("plugin/update"))


async def _list(project: Project, params: wire.PluginListParams) -> wire.PluginListResult:
    await project.refresh()
    found = project.discovery
    plugins = [to_wire(plugin) for plugin in found.plugins if params.kind is None or params.kind in plugin.kinds]
    failures = [wire.PluginWarning(plugin=failure.name, message=failure.message) for failure in found.warnings]
    return wire.PluginListResult(plugins=plugins, warnings=failures if params.include_warnings else [])


async def _info(project: Project, params: wire.PluginNameParams) -> wire.ControlPluginInfo:
    await project.refresh()
    plugin = project.discovery.named(params.name)
    if plugin is None:
        why = next((failure for failure in project.discovery.warnings if failure.name == params.name), None)
        if why is not None:
            raise UnknownName(f"plugin {params.name} cannot be used: {why.message}", hint=why.fix or None)
        raise UnknownName(f"no plugin {params.name!r}", hint="See what there is: animus plugin list")
    return to_wire(plugin)


async def _install(
    project: Project, locations: PluginLocations, params: wire.PluginInstallParams
) -> wire.PluginInstallResult:
    """`allow_unsigned` means nothing yet: there are no signatures."""
    steps: list[str] = []

    async def confirm(question: str) -> bool:
        # Nobody can be asked over the socket, so without `yes` the answer is no; the question is shown either way.
        if params.yes:
            steps.append(question)
        return params.yes

    request = InstallRequest.parse(params.source, locations.project_root, version=params.version)
    done: list[Installed] = await install(locations, request, report=steps.append, confirm=confirm)
    _log.info("installed %s", ", ".join(f"{plugin.entry.name} {plugin.entry.version}" for plugin in done))
    await project.refresh()
    return wire.PluginInstallResult(plugin=installed_to_wire(done[0]), steps=[{"step": step} for step in steps])


async def _uninstall(project: Project, locations: PluginLocations, params: wire.PluginNameParams) -> Acknowledged:
    removed = await uninstall(locations, params.name)
    _log.info("uninstalled %s %s", removed.name, removed.version)
    await project.refresh()
    return Acknowledged()


async def _no_registry(method: str) -> NoReturn:
    # -32001 and not -32601: the published method is known, and clients fall back instead of failing (protocol §3).
    raise NotSupported(f"{method}: there is no registry of plugins")
