"""Every supervised plugin of a project, by name: made when first asked for, ended together.

Below lie discovery and `host/supervised_plugin.py`.
"""

from __future__ import annotations

import asyncio

from animus_core.errors import UnknownName
from animus_core.host.plugin_state import PluginStatus
from animus_core.host.supervised_plugin import SupervisedPlugin
from animus_core.host.supervisor import Supervision
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_protocol.models.lifecycle import ProjectBinding

__all__ = ["Fleet"]


class Fleet:
    """The plugins of one project. `close` ends all of them."""

    def __init__(
        self,
        discovery: Discovery,
        binding: ProjectBinding,
        supervision: Supervision[Plugin] | None = None,
    ) -> None:
        self.discovery = discovery
        self._binding = binding
        self._supervision = supervision or Supervision()
        self._supervised: dict[str, SupervisedPlugin[Plugin]] = {}

    def named(self, name: str) -> SupervisedPlugin[Plugin]:
        """The plugin called `name`, not necessarily started. Raises UnknownName that says what is known of the name."""
        plugin = self.discovery.named(name)
        if plugin is not None:
            return self.of(plugin)
        failure = next((failure for failure in self.discovery.warnings if failure.name == name), None)
        if failure is not None:
            raise UnknownName(f"plugin {name} cannot be used: {failure.why}", hint=failure.fix or "Fix it.")
        raise UnknownName(f"no plugin {name!r}", hint="Look at what there is: animus plugin list")

    def of(self, plugin: Plugin) -> SupervisedPlugin[Plugin]:
        """The supervision of a plugin that was discovered."""
        supervised = self._supervised.get(plugin.name)
        if supervised is None:
            supervised = self._supervised[plugin.name] = SupervisedPlugin(plugin, self._binding, self._supervision)
        return supervised

    def of_kind(self, kind: str) -> list[SupervisedPlugin[Plugin]]:
        """The plugins of one plugin kind, in the order of discovery."""
        return [self.of(plugin) for plugin in self.discovery.of_kind(kind)]

    def statuses(self) -> list[PluginStatus]:
        """How every discovered plugin is."""
        return [self.of(plugin).status() for plugin in self.discovery.plugins]

    async def replace(self, discovery: Discovery) -> None:
        """Go on with what is discovered now: what is gone or runs something else is ended, the rest is not touched."""
        kept, ended = {}, []
        for name, supervised in self._supervised.items():
            now = discovery.named(name)
            # A plugin that runs the same is not touched: installing one must not cut the calls to all the others.
            if now is not None and now.candidate == supervised.plugin.candidate:
                kept[name] = supervised
            else:
                ended.append(supervised)
        # Before the old ones are ended, which takes seconds: who asks meanwhile gets the new plugin.
        self.discovery, self._supervised = discovery, kept
        await _close(ended)

    async def close(self) -> None:
        """End every plugin, side by side."""
        supervised, self._supervised = list(self._supervised.values()), {}
        await _close(supervised)


async def _close(supervised: list[SupervisedPlugin[Plugin]]) -> None:
    # Side by side: each may use up its bounds, and one after the other they would add up.
    async with asyncio.TaskGroup() as group:
        for one in supervised:
            group.create_task(one.close())
