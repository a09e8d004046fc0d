"""One live plugin: started, greeted, asked, and ended in the order of protocol §2.

Called by `supervise.py` (plugins that stay) and the agent-runner (one a session); below it lie `process.py` and the
peer. Every error about a plugin names it and shows the tail of its stderr.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import InvalidInput, PluginFailed
from animus_core.host.discover import Plugin
from animus_core.host.environment import child_environment
from animus_core.host.process import Child, ChildSpec, spawn
from animus_core.version import VERSION
from animus_protocol.connection import Notification, Request
from animus_protocol.errors import CallTimeout, MethodNotFound, PeerGone, RpcError
from animus_protocol.models import lifecycle
from animus_protocol.models.base import Empty, Method, Params, Result
from animus_protocol.peer import BadReply, Peer
from animus_protocol.version import PROTOCOL_VERSION, is_compatible

__all__ = ["PluginSession", "Project", "open_session"]

_log = logging.getLogger("animus.host")
_SHUTDOWN_S: Final = 2.0
_EXIT_S: Final = 2.0
_TERM_S: Final = 2.0
_HANDSHAKE_S: Final = 30.0
_HANDSHAKE_VARIABLE: Final = "ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S"


class Project(NamedTuple):
    """What a plugin is told about the project, and where it runs."""

    root: Path
    repo_scope: str


class PluginSession:
    """A plugin that answered `initialize`. Made by `open_session`; ended by `close`."""

    def __init__(self, plugin: Plugin, child: Child) -> None:
        self.plugin = plugin
        self.child = child
        self.capabilities = lifecycle.PluginCapabilities()
        self.on_notification: Callable[[Notification], None] | None = None
        self.peer = Peer(child.read_fd, child.write_fd, self, name=f"plugin {plugin.name}")
        self._closing = False

    @property
    def methods(self) -> frozenset[str]:
        """Manifest capabilities and advertised methods together; feature flags left out (protocol §2)."""
        flags = ("$harness/", "$host/", "$vendor/", "$ui/")
        names = {*self.plugin.manifest.capabilities, *self.capabilities.methods}
        return frozenset(name for name in names if not name.startswith(flags))

    @property
    def subject_kinds(self) -> tuple[str, ...]:
        """What it claims after the handshake: its capabilities, else its manifest's tokens."""
        return tuple(self.capabilities.subject_kinds) or self.plugin.subject_kinds

    @property
    def alive(self) -> bool:
        """Whether calls can still be answered."""
        return not self.peer.ended.done()

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask the plugin. Raises RpcError (its own refusal) or PluginFailed (it died, hung, or answered nonsense)."""
        try:
            return await self.peer.call(method, params, timeout_s=timeout_s)
        except PeerGone as error:
            raise await self._died(method.name) from error
        except (CallTimeout, BadReply) as error:
            why = str(error).removeprefix(self.peer.name).lstrip(": ")  # who it is, is said already
            raise self._failed(why) from error

    async def close(self) -> None:
        """`shutdown`, `exit`, SIGTERM, SIGKILL, each with its bound. Safe to call again."""
        if self._closing:
            await self.child.wait()
            return
        self._closing = True
        if self.alive:
            try:
                await self.peer.call(lifecycle.SHUTDOWN, Empty(), timeout_s=_SHUTDOWN_S)
            except (RpcError, CallTimeout, PeerGone, BadReply) as error:
                _log.info("plugin %s: shutdown: %s", self.plugin.name, error)
            self.peer.notify(lifecycle.EXIT, Empty())
        await self.peer.aclose()
        await self.child.wait_within(_EXIT_S)
        await self.child.end(_TERM_S)

    def request(self, peer: Peer, request: Request) -> Coroutine[Any, Any, object]:
        """Plugins may not ask the host anything: `-32601` (protocol §1)."""
        return _refuse(request.method)

    def notification(self, peer: Peer, notification: Notification) -> None:
        """`log/entry` goes to the log, everything else to whoever listens."""
        if notification.method == lifecycle.LOG_ENTRY.name:
            params = notification.params if isinstance(notification.params, dict) else {}
            _log.info("%s: %s: %s", self.plugin.name, params.get("level"), params.get("message"))
        elif self.on_notification is not None:
            self.on_notification(notification)

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """A host opens no streams towards a plugin: nothing to cancel."""

    async def greet(self, project: Project) -> None:
        """`initialize` and `initialized`. Raises PluginFailed."""
        binding = lifecycle.ProjectBinding(project_root=str(project.root), repo_scope=project.repo_scope)
        params = lifecycle.InitializeParams(
            protocol_version=PROTOCOL_VERSION,
            host_info=lifecycle.HostInfo(name="animus", version=VERSION),
            capabilities=lifecycle.HostCapabilities(streaming=True, progress=True, cancellation=True),
            init_extensions={"project_binding": binding},
        )
        try:
            result = await self.call(lifecycle.INITIALIZE, params, timeout_s=_handshake_s())
        except RpcError as error:
            raise self._failed(f"initialize was refused: {error}") from error
        if not is_compatible(result.protocol_version):
            raise self._failed(f"it speaks protocol {result.protocol_version}, this host {PROTOCOL_VERSION}")
        self.capabilities = result.capabilities
        self.peer.notify(lifecycle.INITIALIZED, Empty())

    async def _died(self, method: str) -> PluginFailed:
        if await self.child.wait_within(_EXIT_S):
            await self.child.last_words()
        code = self.child.returncode
        if code is None:
            how = "closed its output"
        else:
            how = f"ended (exit code {code})" if code >= 0 else f"was killed by signal {-code}"
        return self._failed(f"it {how} during {method}")

    def _failed(self, why: str) -> PluginFailed:
        return PluginFailed(self.plugin.name, why, self.child.stderr_tail)


async def open_session(
    plugin: Plugin,
    project: Project,
    *,
    cookie: str,
    pass_fds: tuple[int, ...] = (),
    extra_env: dict[str, str] | None = None,
) -> PluginSession:
    """Start `plugin` for `project` and greet it. Raises PluginFailed or Unavailable; then nothing is left running."""
    declared = [requirement.name for requirement in plugin.manifest.env_required]
    env = child_environment(os.environ, declared=declared, extra=extra_env, cookie=cookie)
    spec = ChildSpec(plugin.name, plugin.candidate.command, env, str(project.root), pass_fds)
    session = PluginSession(plugin, await spawn(spec))
    try:
        await session.greet(project)
    except PluginFailed as error:
        await asyncio.shield(asyncio.ensure_future(_end(session)))
        why = error.message.removeprefix(f"plugin {plugin.name}: ")
        raise PluginFailed(plugin.name, why, session.child.stderr_tail) from error  # all of it is read by now
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(_end(session)))
        raise
    return session


def _handshake_s() -> float:
    """The operator's limit for a handshake, else 30 s. Raises InvalidInput for what is no number of seconds."""
    text = os.environ.get(_HANDSHAKE_VARIABLE)
    try:
        timeout_s = _HANDSHAKE_S if text is None else float(text)
    except ValueError:
        timeout_s = 0.0
    if not timeout_s > 0:
        raise InvalidInput(f"{_HANDSHAKE_VARIABLE} is {text!r}", hint="Give it a number of seconds, or unset it.")
    return timeout_s


async def _end(session: PluginSession) -> None:
    await session.peer.aclose()
    await session.child.end(_TERM_S)


async def _refuse(method: str) -> object:
    raise MethodNotFound(method)
