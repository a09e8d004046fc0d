"""What the core does with providers: which plugin serves a tool, and one supervisor a plugin over all its sessions.

A provider has one process a session (`agent_runner/session.py` owns them); the table and the budget are those of every
other plugin (`host/supervisor.py`).
"""

from __future__ import annotations

from animus_core.host.plugin_state import PluginStatus
from animus_core.host.supervisor import Supervision, Supervisor
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_protocol.plugin_names import PROVIDER_PREFIX

__all__ = ["Providers", "package_of", "provider_for", "tools_served"]


def package_of(tool: str) -> str:
    """What a provider of `tool` is called by convention: `animus-provider-<tool>`."""
    return f"{PROVIDER_PREFIX}{tool}"


def provider_for(discovery: Discovery, tool: str) -> Plugin | None:
    """The provider plugin of `tool`: the one named `animus-provider-<tool>`, or named `<tool>`."""
    names = {package_of(tool), tool}
    providers = discovery.of_kind(PluginKind.PROVIDER)
    # By its manifest too: an operator may have installed it under another name (`--name`).
    return next((plugin for plugin in providers if names & {plugin.name, plugin.manifest.name}), None)


def tools_served(discovery: Discovery) -> frozenset[str]:
    """The tools that installed providers serve: `mock` for a plugin called `animus-provider-mock`."""
    names = (name for plugin in discovery.of_kind(PluginKind.PROVIDER) for name in (plugin.name, plugin.manifest.name))
    return frozenset(name.removeprefix(PROVIDER_PREFIX) for name in names)


class Providers:
    """Every provider that a session has asked for, by name."""

    def __init__(self, supervision: Supervision[Plugin]) -> None:
        self._supervision = supervision
        self._known: dict[str, Supervisor[Plugin]] = {}

    def of(self, plugin: Plugin) -> Supervisor[Plugin]:
        """The supervisor of a plugin; of one that was installed anew, with the new files."""
        supervisor = self._known.get(plugin.name)
        if supervisor is None:
            supervisor = self._known[plugin.name] = Supervisor(plugin, self._supervision)
        else:
            supervisor.renew(plugin)
        return supervisor

    def named(self, name: str) -> Supervisor[Plugin] | None:
        """The supervisor of the provider of that name, if a session has asked for it."""
        return self._known.get(name)

    def statuses(self) -> list[PluginStatus]:
        """How each of them is."""
        return [supervisor.status() for supervisor in self._known.values()]
