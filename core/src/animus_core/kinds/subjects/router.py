"""Which plugin owns a subject kind, and typed calls to it.

Exact kinds beat globs, the longest glob wins, and two plugins with the same claim refuse to start (protocol §4). Claims
stand in the manifest; a backend whose manifest names none is started when somebody needs to know, and says them in its
handshake.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from animus_core.errors import AnimusError, Conflict, UnclaimedKind, UnknownName
from animus_core.host.session import PluginSession
from animus_core.host.supervised_plugin import SupervisedPlugin
from animus_core.kinds.fleet import Fleet
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_core.supply.distributions import how_to_install
from animus_protocol.errors import MethodNotFound, NotFound
from animus_protocol.models import subject as wire
from animus_protocol.models.base import Method, Params, Result
from animus_protocol.models.lifecycle import ProjectBinding

__all__ = ["CUSTOM_SUBJECT", "SubjectRouter", "match_kind"]

_CALL_S: Final = 15.0  # below the 30 s that a client waits for us: it then learns which plugin is silent
CUSTOM_SUBJECT: Final = "custom"
"""The subject kind that no plugin serves: any text is such a subject."""


def match_kind(kind: str, claims: Iterable[str]) -> str | None:
    """The claim that fits `kind` best: itself, else the longest `prefix.*`."""
    globs = []
    for claim in claims:
        if claim == kind:
            return claim
        # With the dot: `issue.*` is for `issue.bug` and not for `issues`.
        if claim.endswith(".*") and kind.startswith(claim[:-1]):
            globs.append(claim)
    return max(globs, key=len, default=None)


class SubjectRouter:
    """Every subject backend of a project. Plugins start when they are first needed; the fleet ends them."""

    def __init__(self, fleet: Fleet) -> None:
        """Claims as the manifests say. Raises Conflict naming both plugins of a duplicate claim."""
        self.fleet = fleet
        self._claims: dict[str, SupervisedPlugin[Plugin]] = {}
        self._silent: list[SupervisedPlugin[Plugin]] = []
        self._spelled: dict[tuple[str, str], str] = {}
        self.reload()

    @staticmethod
    def build(discovery: Discovery, project: ProjectBinding) -> SubjectRouter:
        """A router with a fleet of its own. Raises like the constructor."""
        return SubjectRouter(Fleet(discovery, project))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every claim that is known so far; all of them after `learn`."""
        return tuple(self._claims)

    @property
    def plugins(self) -> tuple[SupervisedPlugin[Plugin], ...]:
        """Every backend once."""
        return tuple(dict.fromkeys([*self._claims.values(), *self._silent]))

    def reload(self) -> None:
        """Take the claims of the backends that the fleet has now. Raises Conflict, and then keeps the old ones."""
        claims: dict[str, SupervisedPlugin[Plugin]] = {}
        silent = []
        # All is made anew before anything is replaced: a conflict leaves the old claims in use.
        for supervised in self.fleet.of_kind(PluginKind.SUBJECT_BACKEND):
            kinds = supervised.plugin.subject_kinds
            _claim(claims, supervised, kinds)
            if not kinds:
                silent.append(supervised)
        self._claims, self._silent, self._spelled = claims, silent, {}

    async def learn(self) -> None:
        """Start the backends whose manifests name no kind, and note what they claim.

        Raises Conflict naming both plugins of a duplicate claim; that backend is ended. One that does not start is
        passed over: its supervision tells of it.
        """
        for supervised in list(self._silent):
            try:
                kinds = await supervised.subject_kinds()
            # Its own failure only: the kinds of the others must not depend on it.
            except AnimusError:
                continue
            if supervised in self._silent:  # somebody else may have learned it meanwhile
                self._silent.remove(supervised)
                try:
                    _claim(self._claims, supervised, kinds)
                except Conflict:
                    # Its claims are refused, so nobody could ever reach it.
                    await supervised.close()
                    raise

    def owner(self, kind: str) -> SupervisedPlugin[Plugin]:
        """The plugin for `kind`. Raises UnclaimedKind that lists the kinds there are."""
        claim = match_kind(kind, self._claims)
        if claim is None:
            known = ", ".join(sorted(self._claims)) or "none"
            raise UnclaimedKind(
                f"no plugin serves subjects of kind {kind!r} (served: {known})",
                hint=f"Install a backend for it. One for tasks: {how_to_install('animus-subject-files')}",
            )
        return self._claims[claim]

    def keeps(self, supervised: SupervisedPlugin[Plugin]) -> bool:
        """Whether the fleet still has it: one that was replaced or ended must not be started again."""
        try:
            return self.fleet.named(supervised.plugin.name) is supervised
        except UnknownName:
            return False

    async def session(self, kind: str) -> PluginSession:
        """The owner of `kind`, alive. Raises UnclaimedKind, PluginFailed, and what else a start raises."""
        # An exact claim is the best there can be; for anything else a silent backend might have a better one.
        if self._silent and match_kind(kind, self._claims) != kind:
            await self.learn()
        return await self.owner(kind).session()

    async def call(self, kind: str, method: Method[Params, Result], params: Params) -> Result:
        """Ask the owner of `kind`, under the name that it serves. Raises RpcError, PluginFailed, UnclaimedKind."""
        return await self.ask(await self.session(kind), kind, method, params)

    async def ask(self, session: PluginSession, kind: str, method: Method[Params, Result], params: Params) -> Result:
        """`call` to this process of the owner and no later one. Raises RpcError, PluginFailed."""
        first, second = self.names(session, kind, method)
        spelled = session.plugin.name, _verb(method)
        try:
            return await session.call(method.named(first), params, timeout_s=_CALL_S)
        except MethodNotFound:
            # It has said that it serves the method under this name: the refusal is an answer and is not asked around.
            if first in session.methods or spelled in self._spelled:
                raise
            found = await session.call(method.named(second), params, timeout_s=_CALL_S)  # it advertises nothing
            self._spelled[spelled] = second
            return found

    def names(self, session: PluginSession, kind: str, method: Method[Any, Any]) -> tuple[str, str]:
        """Both names of a method, the one that the plugin serves first; where it says nothing, that of the kind."""
        # By kind where nothing is advertised: that is what published hosts send (protocol §4).
        by_kind, served = f"{kind}/{_verb(method)}", session.methods
        only_general = by_kind not in served and method.name in served
        if only_general or self._spelled.get((session.plugin.name, _verb(method))) == method.name:
            return method.name, by_kind
        return by_kind, method.name

    async def get(self, kind: str, subject_id: str) -> wire.Subject:
        """One subject of this kind. Raises like `call`; some backends answer with their own kind for any."""
        found = await self.call(kind, wire.SUBJECT_GET, wire.SubjectGetParams(id=subject_id))
        # Some plugins return their own kinds for a foreign one (protocol §4).
        if found.kind != kind:
            raise NotFound(f"{kind} {subject_id}")
        return found

    async def set_status(self, kind: str, subject_id: str, status: wire.SubjectStatus) -> wire.Subject:
        """Move a subject. Raises like `call`."""
        return await self.call(kind, wire.SUBJECT_STATUS, wire.SubjectStatusParams(id=subject_id, status=status))

    async def close(self) -> None:
        """End every backend."""
        await self.fleet.close()


def _verb(method: Method[Any, Any]) -> str:
    return method.name.removeprefix("subject/")


def _claim(
    claims: dict[str, SupervisedPlugin[Plugin]], supervised: SupervisedPlugin[Plugin], kinds: Iterable[str]
) -> None:
    """Note all claims of one plugin, or none of them and raise Conflict."""
    kinds = tuple(dict.fromkeys(kinds))
    for kind in kinds:
        if kind in claims:
            raise Conflict(
                f"the plugins {claims[kind].plugin.name} and {supervised.plugin.name} both claim subject kind {kind!r}",
                hint="Uninstall one of them (animus plugin uninstall NAME), or take its row out of plugins.yaml.",
            )
    claims.update(dict.fromkeys(kinds, supervised))
