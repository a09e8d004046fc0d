"""A host in memory: one plugin, initialized as a real host does it, over the real session, peers and frames.

Below it lie `frames.py` and the session that `serve` uses, too.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from animus_protocol.models import lifecycle
from animus_protocol.models.base import Empty, Method, Params, Result
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.peer import Peer
from animus_protocol.version import PROTOCOL_VERSION
from animus_sdk.plugin import Plugin
from animus_sdk.session import Session, State
from animus_sdk.testing.frames import Frame, RecordedWire
from animus_sdk.testing.leftovers import Leftovers
from animus_sdk.testing.notifications import Notifications

__all__ = ["Harness"]

_TIMEOUT_S: Final = 10.0
_NOTED_FRAMES: Final = 40


class Harness:
    """`async with Harness(MyPlugin, project_root=tmp_path) as host:` is a host of that plugin (a class or an object).

    `env` is set in this process meanwhile. Entering raises ValueError for mistakes in the class and RpcError when the
    plugin refuses to start. Leaving shuts the plugin down and raises TimeoutError when it has not stopped after
    `stop_timeout_s`, and LeftBehind if tasks or threads of it go on. An exception that leaves the block carries the
    last frames as a note.
    """

    def __init__(
        self,
        plugin: type[Plugin] | Plugin,
        *,
        project_root: Path | str,
        env: Mapping[str, str] | None = None,
        stop_timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._plugin = plugin
        self._project = lifecycle.ProjectBinding(project_root=str(project_root), repo_scope="test-000000")
        self._env = env or {}
        self._stop_timeout_s = stop_timeout_s
        self._cls = plugin if isinstance(plugin, type) else type(plugin)
        self._end = AsyncExitStack()
        self._wire: RecordedWire | None = None

    @property
    def plugin(self) -> Plugin:
        """The plugin object itself."""
        return self._session.plugin

    @property
    def manifest(self) -> PluginManifest:
        """What `--manifest` prints."""
        return self._cls.manifest()

    @property
    def capabilities(self) -> lifecycle.PluginCapabilities:
        """What the plugin said in its reply to `initialize`."""
        return self._hello.capabilities

    @property
    def frames(self) -> list[Frame]:
        """Every frame so far, both ways; the newest 10,000 of them."""
        return [] if self._wire is None else list(self._wire.frames)

    def transcript(self, *, last: int | None = None) -> str:
        """The frames (the `last` so many) as text, one a line."""
        return "" if self._wire is None else self._wire.transcript(last=last)

    def request_id(self, method: str) -> int:
        """The id of the newest request of `method`: streams carry it, a cancellation names it. Raises LookupError."""
        if self._wire is None:
            raise LookupError("nothing was sent")
        return self._wire.request_id(method)

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float = _TIMEOUT_S) -> Result:
        """A typed request and its typed result. Raises RpcError, CallTimeout, BadReply."""
        return await self._host.call(method, params, timeout_s=timeout_s)

    async def request(self, method: str, params: Any = None, *, timeout_s: float = _TIMEOUT_S) -> Any:
        """A request in plain JSON and its result. Raises RpcError, CallTimeout."""
        return await self._host.call_raw(method, _json(params), timeout_s=timeout_s)

    async def notify(self, method: str, params: Any = None) -> None:
        """Tell the plugin something."""
        self._host.notify_raw(method, _json(params))

    async def next_notification(self, method: str, *, timeout_s: float = 5.0) -> Any:
        """The params of the plugin's next notification of `method`; others stay. Raises TimeoutError."""
        try:
            return await self._notifications.take(method, timeout_s=timeout_s)
        except TimeoutError:
            raise TimeoutError(f"no {method} within {timeout_s:g} s") from None

    async def notifications(self, method: str) -> list[Any]:
        """The params of all notifications of `method` that came and were not taken; those before a reply are here."""
        return self._notifications.take_all(method)

    async def __aenter__(self) -> Self:
        if mistakes := self._cls.mistakes():
            raise ValueError("\n".join(mistakes))
        async with AsyncExitStack() as end:
            self._leftovers = Leftovers()
            # The first in is the last out: what is left over shows only after everything else has ended.
            end.push_async_callback(self._leftovers.check)
            end.callback(_set_environment(self._env))
            self._wire = RecordedWire()
            end.push_async_callback(self._wire.aclose)
            await self._connect(self._wire, end)
            self._hello = await self._initialize()
            end.push_async_callback(self._shut_down)
            self._end = end.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the wire:\n{self.transcript(last=_NOTED_FRAMES)}")
        await self._end.__aexit__(kind, error, where)

    async def _connect(self, wire: RecordedWire, end: AsyncExitStack) -> None:
        host_fd, plugin_fd = wire.take_ends()
        self._notifications = Notifications()
        self._host = Peer(host_fd, host_fd, self._notifications, name=self._cls.name)
        end.push_async_callback(self._host.aclose)
        self._session = session = Session(self._plugin() if isinstance(self._plugin, type) else self._plugin)
        self._leftovers.watch_threads(session.threads.started)
        end.push_async_callback(self._close_session)
        peer = Peer(plugin_fd, plugin_fd, session, name="host", on_end=lambda _: session.ended.set())
        end.push_async_callback(peer.aclose)

    async def _initialize(self) -> lifecycle.InitializeResult:
        params = lifecycle.InitializeParams(
            protocol_version=PROTOCOL_VERSION,
            host_info=lifecycle.HostInfo(name="animus-sdk.testing", version="1"),
            capabilities=lifecycle.HostCapabilities(streaming=True, progress=True, cancellation=True),
            init_extensions={"project_binding": self._project.model_dump()},
        )
        hello = await self.call(lifecycle.INITIALIZE, params)
        await self.notify("initialized")
        return hello

    async def _shut_down(self) -> None:
        """End the plugin like a host (protocol §2), unless the test has done so."""
        if self._session.state is State.READY:
            await self.call(lifecycle.SHUTDOWN, Empty())
        await self.notify("exit")
        async with asyncio.timeout(self._stop_timeout_s):
            await self._session.ended.wait()

    async def _close_session(self) -> None:
        async with asyncio.timeout(self._stop_timeout_s):
            await self._session.close()


def _json(params: Any) -> bytes:
    return json.dumps({} if params is None else params, separators=(",", ":")).encode()


def _set_environment(env: Mapping[str, str]) -> Any:
    """Set variables of this process; what it returns sets them back."""
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)

    def back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return back
