"""One live plugin: started, initialized, asked, listened to, and ended in the order of protocol §2.

Every error about a plugin names it and shows the tail of its stderr. Below lie `process.py`, `broadcast.py` and the
peer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from typing import Any, Final

from animus_core.errors import InvalidInput, PluginFailed, RetryLater
from animus_core.host.broadcast import Broadcast, Subscription, broadcast_capacity
from animus_core.host.environment import INSTANCE, missing_environment, plugin_environment, secrets_in
from animus_core.host.output_tail import log_fields, redact
from animus_core.host.plugin import LaunchablePlugin
from animus_core.host.process import Child, ChildSpec, how_it_ended, spawn
from animus_core.host.tap import Tap
from animus_core.store.process_cleanup import end_by_cookie
from animus_core.version import VERSION
from animus_protocol.connection import Notification, Request
from animus_protocol.errors import (
    BadReply,
    CallTimeout,
    MethodNotFound,
    NotSupported,
    PeerGone,
    PeerStuck,
    ProtocolError,
    RpcError,
)
from animus_protocol.models import lifecycle
from animus_protocol.models.base import Empty, Method, Params, Result
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.peer import Peer
from animus_protocol.version import PROTOCOL_VERSION, is_compatible

__all__ = ["PluginSession", "open_session"]

_log = logging.getLogger("animus.host")
_HANDSHAKE_S: Final = 30.0  # what published hosts wait
_HANDSHAKE_VARIABLE: Final = "ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S"
_LOG_ENTRY_CHARACTERS: Final = 2000  # as a line of stderr: both come from the plugin and end in one log


class PluginSession:
    """A plugin that answered `initialize`. Made by `open_session`; ended by `close`.

    It is the handler of its own connection: `request`, `notification` and `cancelled` are for the peer.
    """

    def __init__(
        self,
        plugin: LaunchablePlugin,
        child: Child,
        instance: str,
        secret_values: tuple[str, ...],
        tap: Tap | None = None,
    ) -> None:
        self.plugin = plugin
        self.child = child
        self._timings = plugin.options.timings
        self.info: lifecycle.PluginInfo | None = None
        self.capabilities = lifecycle.PluginCapabilities()
        self._on_notification: list[Callable[[Notification], None]] = []
        self._instance = instance
        self._secret_values = secret_values
        self._tap = tap
        self._closing = False
        capacity = broadcast_capacity(plugin.manifest.notification_buffer_size)
        self._broadcast = Broadcast(capacity, self._pause_output)
        read_fd, write_fd = child.read_fd, child.write_fd
        if tap is not None:
            read_fd, write_fd = tap.between(read_fd, write_fd)
        name = f"plugin {plugin.name}"
        self.peer = Peer(
            read_fd,
            write_fd,
            self,
            name=name,
            on_end=lambda _: self._broadcast.end(),
            redact=lambda text: redact(text, secret_values),
        )
        child.on_exit(self._exited)

    @property
    def methods(self) -> frozenset[str]:
        """Manifest capabilities and advertised methods together; feature flags left out (protocol §2)."""
        # These say what a plugin is or can do and are never called; as methods they would be offered and fail.
        flags = ("$harness/", "$host/", "$vendor/", "$ui/", "subject_kind:")
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

    @property
    def in_flight(self) -> int:
        """How many calls wait for an answer."""
        return self.peer.waiting_calls

    @property
    def waiting_since(self) -> float | None:
        """When the oldest call that still waits was made (the loop's clock)."""
        return self.peer.waiting_since

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask the plugin. Raises RpcError (its own refusal) or PluginFailed (it died, hung, or answered nonsense)."""
        try:
            return await self.peer.call(method, params, timeout_s=timeout_s)
        except (PeerGone, CallTimeout, PeerStuck, BadReply) as error:
            raise await self._failure(method.name, error) from error

    async def call_raw(
        self, method: str, params: bytes, *, timeout_s: float, sent: Callable[[int], None] | None = None
    ) -> Any:
        """`call` with JSON in and out, for a method whose types nobody here knows; `sent` as of `Peer.call_raw`."""
        try:
            return await self.peer.call_raw(method, params, timeout_s=timeout_s, sent=sent)
        except (PeerGone, CallTimeout, PeerStuck) as error:
            raise await self._failure(method, error) from error

    async def health(self) -> lifecycle.HealthCheckResult:
        """Its health in its own words. Without `health/check` it is healthy if it answers. Raises PluginFailed."""
        try:
            return await self.peer.call(lifecycle.HEALTH_CHECK, Empty(), timeout_s=self._timings.health_s)
        # An answer all the same: it lives. Older SDKs do not serve the method (protocol §3).
        except (MethodNotFound, NotSupported):
            return lifecycle.HealthCheckResult(status=lifecycle.HealthStatus.HEALTHY)
        except RpcError as error:
            return lifecycle.HealthCheckResult(status=lifecycle.HealthStatus.DEGRADED, last_error=str(error))
        except BadReply as error:
            return lifecycle.HealthCheckResult(status=lifecycle.HealthStatus.DEGRADED, last_error=str(error))
        except (PeerGone, CallTimeout, PeerStuck) as error:
            raise await self._failure(lifecycle.HEALTH_CHECK.name, error) from error

    async def how_it_ended(self) -> str:
        """How it ended, in words, once it is not alive; what we did to it afterwards does not count."""
        if await self.child.wait_within(self._timings.exit_s):
            await self.child.drain_stderr()
        code = self.child.returncode
        if code is not None and not self.child.was_ended_by_us:
            return how_it_ended(code)
        return "closed its input" if self.peer.ended.result().startswith("write failed") else "closed its output"

    def on_notification(self, take: Callable[[Notification], None]) -> None:
        """Give `take` every notification before the next frame is read; what it does holds the plugin up.

        For streams of which nothing may be lost; everybody else uses `subscribe`.
        """
        self._on_notification.append(take)

    def subscribe(self, *, capacity: int | None = None, lossless: bool = False) -> Subscription:
        """Listen to its notifications from now on; see `Broadcast.subscribe`."""
        return self._broadcast.subscribe(capacity=capacity, lossless=lossless)

    async def close(self) -> None:
        """`shutdown`, `exit`, SIGTERM, SIGKILL, each with its bound, for all that it started. Safe to call again."""
        # The second caller waits for the first one's end, and does not begin another.
        if self._closing:
            await self.child.wait()
            return
        self._closing = True
        if self.alive:
            try:
                await self.peer.call(lifecycle.SHUTDOWN, Empty(), timeout_s=self._timings.shutdown_s)
                self.peer.notify(lifecycle.EXIT, Empty())
            except (RpcError, BadReply) as error:
                _log.info("plugin %s: shutdown: %s", self.plugin.name, error)
                # A plugin that refuses `shutdown` may still obey `exit`: it is alive and answers.
                self.peer.notify(lifecycle.EXIT, Empty())
            except (CallTimeout, PeerGone, PeerStuck) as error:
                _log.info("plugin %s: shutdown: %s", self.plugin.name, error)
                await self.end()
                return
        # Its input ends here. That alone is not enough: some stay while a timer or a run of theirs lives (protocol §2).
        await self.peer.aclose(flush_s=self._timings.flush_s)
        await self.child.wait_within(self._timings.exit_s)
        await self.end()

    async def end(self) -> None:
        """SIGTERM and SIGKILL for its process, its group, and what left the group; nothing is asked any more."""
        self._closing = True
        if not self.alive:
            await self.child.wait_within(self._timings.leaving_s)  # it may be on its way out by itself
        await self.peer.aclose(flush_s=self._timings.flush_s)
        await self.child.end(self._timings.term_s)
        if self._tap is not None:
            await self._tap.aclose()
        try:
            # What made a session of its own has left the group: only the mark in its environment still finds it.
            await asyncio.to_thread(end_by_cookie, INSTANCE, self._instance, grace_s=0.0)
        except RetryLater as error:
            name, text = self.plugin.name, str(error)
            _log.error("plugin %s: %s", name, text, extra=log_fields(name, text))

    def request(self, peer: Peer, request: Request) -> object:
        """Plugins may not ask the host anything: `-32601` (protocol §1)."""
        raise MethodNotFound(request.method)

    def notification(self, peer: Peer, notification: Notification) -> None:
        """`log/entry` goes to the log, everything else to whoever listens."""
        if notification.method == lifecycle.LOG_ENTRY.name:
            params = notification.params if isinstance(notification.params, dict) else {}
            text = redact(f"{params.get('level')}: {params.get('message')}", self._secret_values)
            _log.info("%s: %s", self.plugin.name, text[:_LOG_ENTRY_CHARACTERS])
            return
        for take in self._on_notification:
            take(notification)
        self._broadcast.publish(notification)

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """A host opens no streams towards a plugin: nothing to cancel."""

    async def handshake(self, binding: ProjectBinding) -> None:
        """`initialize` and `initialized`. Raises PluginFailed."""
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
        # One kind in common is enough: a plugin of several kinds may name another one first than its manifest does.
        named = {result.plugin_info.plugin_kind, *result.plugin_info.plugin_kinds}
        if named.isdisjoint(self.plugin.kinds):
            said = ", ".join(self.plugin.kinds)
            raise self._failed(
                f"it introduces itself as {', '.join(sorted(named))}, and its manifest said {said}: another program?"
            )
        self.info = result.plugin_info
        self.capabilities = result.capabilities
        self.peer.notify(lifecycle.INITIALIZED, Empty())

    def _pause_output(self, who: object, paused: bool) -> None:
        if paused:
            self.peer.pause(who)
        else:
            self.peer.resume(who)

    def _exited(self) -> None:
        if self._tap is None:
            self._hang_up()
        else:
            self._tap.hang_up(then=self._hang_up)

    def _hang_up(self) -> None:
        self.peer.hang_up(f"the process {how_it_ended(self.child.returncode or 0)}")

    async def _failure(self, method: str, error: ProtocolError) -> PluginFailed:
        if isinstance(error, PeerGone):
            return self._failed(f"it {await self.how_it_ended()} during {method}")
        return self._failed(error.why)

    def _failed(self, why: str) -> PluginFailed:
        return PluginFailed(self.plugin.name, redact(why, self._secret_values), self.child.stderr_tail)


async def open_session(
    plugin: LaunchablePlugin,
    binding: ProjectBinding,
    *,
    cookie: str,
    pass_fds: tuple[int, ...] = (),
    require_environment: bool = False,
    tap: Tap | None = None,
) -> PluginSession:
    """Start `plugin` for the project of `binding` and do the handshake.

    Raises PluginFailed or RetryLater; then nothing is left running.

    A required variable that is not set is a warning, and with `require_environment` InvalidInput before
    anything is started. A `tap` is shown what goes over the wire.
    """
    options = plugin.options
    missing = missing_environment(os.environ, plugin.manifest, options)
    if missing:
        text = f"plugin {plugin.name} needs {', '.join(missing)} in its environment"
        if require_environment:
            raise InvalidInput(text, hint=plugin.environment_hint)
        _log.warning("%s. %s", text, plugin.environment_hint)
    instance = secrets.token_hex(8)
    env = plugin_environment(os.environ, plugin.manifest, options, cookie=cookie, instance=instance)
    secret_values = secrets_in(env, plugin.manifest)
    spec = ChildSpec(plugin.name, plugin.command, env, binding.project_root, pass_fds, options.limits, secret_values)
    session = PluginSession(plugin, spawn(spec), instance, secret_values, tap)
    try:
        await session.handshake(binding)
    except PluginFailed as error:
        await _ended(session)
        raise PluginFailed(plugin.name, error.why, session.child.stderr_tail) from error  # all of it is read by now
    # Cancelled during the handshake: no process stays behind that nobody knows of.
    except BaseException:
        await _ended(session)
        raise
    return session


def _handshake_s() -> float:
    """The operator's limit for a handshake, else 30 s. Raises InvalidInput for anything but a number of seconds."""
    text = os.environ.get(_HANDSHAKE_VARIABLE)
    try:
        timeout_s = _HANDSHAKE_S if text is None else float(text)
    except ValueError:
        timeout_s = 0.0
    if not timeout_s > 0:
        raise InvalidInput(f"{_HANDSHAKE_VARIABLE} is {text!r}", hint="Give it a number of seconds, or unset it.")
    return timeout_s


async def _ended(session: PluginSession) -> None:
    # Whoever is cancelled here still has to end what it started.
    await asyncio.shield(asyncio.ensure_future(session.end()))
