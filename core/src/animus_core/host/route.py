"""Which plugin owns a subject kind, and typed calls to it.

Called by ingress, services and projectors; below it lies `supervise.py`. Exact kinds beat globs, the longest glob
wins, and two plugins with the same claim refuse to start (protocol §4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from animus_core.errors import Conflict, NotFound
from animus_core.host.discover import Discovery
from animus_core.host.session import Project
from animus_core.host.supervise import SupervisedPlugin
from animus_protocol.models import subject as wire
from animus_protocol.models.base import Method, Params, Result

__all__ = ["SubjectRouter", "match_kind"]

_CALL_S: Final = 15.0


def match_kind(kind: str, claims: Iterable[str]) -> str | None:
    """The claim that fits `kind` best: itself, else the longest `prefix.*`."""
    globs = []
    for claim in claims:
        if claim == kind:
            return claim
        if claim.endswith(".*") and kind.startswith(claim[:-1]):
            globs.append(claim)
    return max(globs, key=len, default=None)


class SubjectRouter:
    """Every subject backend of a project. Plugins start when they are first needed; `close` ends them."""

    def __init__(self, claims: Mapping[str, SupervisedPlugin]) -> None:
        self._claims = dict(claims)

    @staticmethod
    def build(discovery: Discovery, project: Project) -> SubjectRouter:
        """Claims as the manifests say. Raises Conflict naming both plugins of a duplicate claim."""
        claims: dict[str, SupervisedPlugin] = {}
        for plugin in discovery.of_kind("subject_backend"):
            supervised = SupervisedPlugin(plugin, project)
            for kind in plugin.subject_kinds:
                if kind in claims:
                    other = claims[kind].plugin.name
                    raise Conflict(
                        f"the plugins {other} and {plugin.name} both claim subject kind {kind!r}",
                        hint="Uninstall one of them.",
                    )
                claims[kind] = supervised
        return SubjectRouter(claims)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every claim."""
        return tuple(self._claims)

    @property
    def plugins(self) -> tuple[SupervisedPlugin, ...]:
        """Every backend once."""
        return tuple(dict.fromkeys(self._claims.values()))

    def owner(self, kind: str) -> SupervisedPlugin:
        """The plugin for `kind`. Raises NotFound that lists the kinds there are."""
        claim = match_kind(kind, self._claims)
        if claim is None:
            known = ", ".join(sorted(self._claims)) or "none"
            raise NotFound(
                f"no plugin serves subjects of kind {kind!r} (served: {known})",
                hint="Install a subject backend for it, for example animus-subject-files for tasks.",
            )
        return self._claims[claim]

    async def call(self, kind: str, method: Method[Params, Result], params: Params) -> Result:
        """Ask the owner of `kind`, under the name that it advertises. Raises RpcError, PluginFailed, NotFound."""
        owner = self.owner(kind)
        verb = method.name.removeprefix("subject/")
        name = f"{kind}/{verb}"
        served = await owner.methods()
        if name not in served and method.name in served:
            name = method.name
        return await owner.call(method.named(name), params, timeout_s=_CALL_S)

    async def get(self, kind: str, subject_id: str) -> wire.Subject:
        """One subject. Raises like `call`."""
        return await self.call(kind, wire.SUBJECT_GET, wire.SubjectGetParams(id=subject_id))

    async def set_status(self, kind: str, subject_id: str, status: wire.SubjectStatus) -> wire.Subject:
        """Move a subject. Raises like `call`."""
        return await self.call(kind, wire.SUBJECT_STATUS, wire.SubjectStatusParams(id=subject_id, status=status))

    async def close(self) -> None:
        """End every backend."""
        for plugin in self.plugins:
            await plugin.close()
