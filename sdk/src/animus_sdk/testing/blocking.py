"""The harness for tests that are plain functions: the same host, with a loop of its own in a thread.

Below it lie `harness.py` and anyio's portal into a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from animus_protocol.models.base import Method, Params, Result
from animus_protocol.models.lifecycle import PluginCapabilities
from animus_protocol.models.manifest import PluginManifest
from animus_sdk.plugin import Plugin
from animus_sdk.testing.frames import Frame
from animus_sdk.testing.harness import Harness

__all__ = ["BlockingHarness"]


class BlockingHarness:
    """`with BlockingHarness(MyPlugin, project_root=tmp_path) as host:` is `Harness` without `await`.

    Its methods, properties and errors are those of `Harness`; each waits at most for its `timeout_s`.
    """

    def __init__(
        self, plugin: type[Plugin] | Plugin, *, project_root: Path | str, env: Mapping[str, str] | None = None
    ) -> None:
        self._harness = Harness(plugin, project_root=project_root, env=env)
        self._end = ExitStack()

    @property
    def plugin(self) -> Plugin:
        """The plugin object itself; it lives on another thread."""
        return self._harness.plugin

    @property
    def manifest(self) -> PluginManifest:
        """What `--manifest` prints."""
        return self._harness.manifest

    @property
    def capabilities(self) -> PluginCapabilities:
        """What the plugin said in its reply to `initialize`."""
        return self._harness.capabilities

    @property
    def frames(self) -> list[Frame]:
        """Every frame so far, both ways; the newest 10,000 of them."""
        return self._harness.frames

    def transcript(self, *, last: int | None = None) -> str:
        """The frames (the `last` so many) as text, one a line."""
        return self._harness.transcript(last=last)

    def request_id(self, method: str) -> int:
        """The id of the newest request of `method`: streams carry it, a cancellation names it. Raises LookupError."""
        return self._harness.request_id(method)

    def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float = 10.0) -> Result:
        """A typed request and its typed result. Raises RpcError, CallTimeout, BadReply."""
        return self._portal.call(partial(self._harness.call, method, params, timeout_s=timeout_s))

    def request(self, method: str, params: Any = None, *, timeout_s: float = 10.0) -> Any:
        """A request in plain JSON and its result. Raises RpcError, CallTimeout."""
        return self._portal.call(partial(self._harness.request, method, params, timeout_s=timeout_s))

    def notify(self, method: str, params: Any = None) -> None:
        """Tell the plugin something."""
        self._portal.call(self._harness.notify, method, params)

    def next_notification(self, method: str, *, timeout_s: float = 5.0) -> Any:
        """The params of the plugin's next notification of `method`; others stay. Raises TimeoutError."""
        return self._portal.call(partial(self._harness.next_notification, method, timeout_s=timeout_s))

    def notifications(self, method: str) -> list[Any]:
        """The params of all notifications of `method` that came and were not taken; those before a reply are here."""
        return self._portal.call(self._harness.notifications, method)

    def __enter__(self) -> Self:
        with ExitStack() as end:
            self._portal: BlockingPortal = end.enter_context(start_blocking_portal("asyncio"))
            end.enter_context(self._portal.wrap_async_context_manager(self._harness))
            self._end = end.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end.__exit__(kind, error, where)
