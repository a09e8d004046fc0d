"""The plugin process: the trigger protocol's verbs on the files of the project.

Started by a host as `animus-trigger-files`; below it lie the watcher and the store, which are imported only when a
watch begins, so that `--manifest` answers quickly. A watch is a thread; events go from the disk to the host, in their
order.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from animus_sdk import EnvRequirement, InvalidParams, TriggerBackend, Unavailable, serve

if TYPE_CHECKING:
    import asyncio

    import animus_trigger_files.config  # noqa: F401 - the class header names it in quotes
    from animus_sdk import HealthCheckResult, ProjectBinding, Trigger, TriggerEvent
    from animus_trigger_files.config import OurConfig
    from animus_trigger_files.patterns import Selection
    from animus_trigger_files.store import RecordedEvent, Store
    from animus_trigger_files.watcher import WatchedTrigger, Watcher

__all__ = ["FilesTrigger", "main"]

_STOP_S: Final = 1.0
_NOT_TAKEN: Final = "shutdown"
"""The status of a host that ends without having made the event durable."""


class FilesTrigger(TriggerBackend["animus_trigger_files.config.OurConfig"]):
    """Starts workflows when files of the project change."""

    name = "animus-trigger-files"
    version = "0.1.0"
    description = "Starts workflows when files of the project change, also while nobody watched."
    trigger_kinds: ClassVar[tuple[str, ...]] = ("file_watcher",)
    supports_resume = True
    supports_dedup = True
    env = (
        EnvRequirement(name="ANIMUS_CONFIG_DIR", description="Where state is kept by project; default ~/.animus"),
        EnvRequirement(name="XDG_STATE_HOME", description="Where it is kept for hosts that name no scope"),
    )

    def start(self, project: ProjectBinding) -> None:
        """Find the project and the place of its state. Raises InvalidParams when there is none."""
        from animus_trigger_files.state_folder import state_base, state_folder

        self._root = Path(os.path.realpath(project.project_root))
        self._state = state_folder(project, os.environ)
        base = os.path.realpath(state_base(project, os.environ))
        inside = base.startswith(f"{self._root}/".replace("//", "/"))
        self._excluded = os.path.relpath(base, self._root) if inside else None
        self._store_lock = threading.Lock()
        self._opened: Store | None = None
        self._running: asyncio.Future[None] | None = None
        self._watcher: Watcher | None = None

    def stop(self) -> None:
        """Let another process have the state."""
        store: Store | None = getattr(self, "_opened", None)  # not there after a failed start
        if store is not None:
            store.close()

    def health(self) -> HealthCheckResult:
        """Degraded while something keeps changes from being noticed; `last_error` names the first of it."""
        from animus_sdk import HealthCheckResult, HealthStatus

        problems = self._watcher.problems() if self._watcher is not None else []
        if not problems:
            return HealthCheckResult(status=HealthStatus.HEALTHY)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return HealthCheckResult(status=HealthStatus.DEGRADED, last_error=problems[0] + more)

    async def watch(self, triggers: Sequence[Trigger[OurConfig]], cursor: Any) -> AsyncGenerator[TriggerEvent, None]:
        """Every event that was not acknowledged, and new ones. A cursor that is an event's id acknowledges that event.

        Raises InvalidParams for a path that cannot be watched, Unavailable when another process watches.
        """
        import asyncio

        import anyio.to_thread

        from animus_trigger_files.watcher import Watcher

        if self._running is not None and not self._running.done():
            raise Unavailable("the watch before this one has not ended yet - retry")
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        watched = self._watched(triggers)
        others = ", ".join(trigger.id for trigger in triggers if trigger.config is None)
        if not watched:
            await self._pass_over(others)
            await loop.create_future()  # silent until it is cancelled
        store = self._store()
        if isinstance(cursor, str):
            store.acknowledge(cursor)
        watcher = Watcher(self._root, store, watched, lambda: loop.call_soon_threadsafe(news.set))
        # Before the first await, so that nothing is missed between the reply and the first survey.
        watcher.prepare(lambda before: self._selection(before.paths, before.ignore, ""))
        await self._pass_over(others)
        after = 0
        async with self._thread_of(watcher, news) as running:
            while not running.done():
                news.clear()
                while (event := await anyio.to_thread.run_sync(store.next_event, after)) is not None:
                    yield _to_wire(event)
                    after = event.sequence
                await news.wait()
            running.result()

    def ack(self, event_id: str, status: str | None) -> None:
        """Never tell this event again; an id that is not known is no mistake (it may have been acknowledged before)."""
        if status is not None and status.lower() == _NOT_TAKEN:
            return
        self._store().acknowledge(event_id)
        if self._watcher is not None:
            self._watcher.acknowledged()

    def _store(self) -> Store:
        """The state, owned by this process from the first use on. Raises Unavailable."""
        from animus_trigger_files.store import Store

        with self._store_lock:  # an acknowledgement, on its thread, may come at the same time as a watch
            if self._opened is None:
                self._opened = Store(self._state)
            return self._opened

    def _watched(self, triggers: Sequence[Trigger[OurConfig]]) -> list[WatchedTrigger]:
        from animus_trigger_files.watcher import WatchedTrigger

        watched: dict[str, WatchedTrigger] = {}
        for trigger_id, _, config in triggers:
            if config is None:
                continue
            if trigger_id in watched:
                raise InvalidParams(f"trigger {trigger_id}: there are two of this id - rename one")
            where = f"trigger {trigger_id}: "
            selection = self._selection(config.paths, config.ignore, where)
            selection.check_links(self._root, where)
            watched[trigger_id] = WatchedTrigger(trigger_id, selection, config.debounce_secs)
        return [*watched.values()]

    def _selection(self, paths: Sequence[str], ignore: Sequence[str], where: str) -> Selection:
        from animus_trigger_files.patterns import Selection

        return Selection(self._root, paths, ignore, excluded=self._excluded, where=where)

    async def _pass_over(self, others: str) -> None:
        if others:
            await self.ctx.log("info", f"triggers of other plugins, passed over: {others}")

    @asynccontextmanager
    async def _thread_of(self, watcher: Watcher, news: asyncio.Event) -> AsyncIterator[asyncio.Future[None]]:
        """The watcher on a thread of its own, which has ended when this is left; its end is news, too."""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        threads = ThreadPoolExecutor(1, thread_name_prefix="watcher")
        running = asyncio.get_running_loop().run_in_executor(threads, watcher.run)
        running.add_done_callback(lambda _: news.set())
        self._watcher, self._running = watcher, running
        try:
            yield running
        finally:
            self._watcher = None
            watcher.stop()
            threads.shutdown(wait=False)
            await asyncio.wait([running], timeout=_STOP_S)
            if running.done():
                running.exception()  # who left early does not want to know


def _to_wire(event: RecordedEvent) -> TriggerEvent:
    from animus_sdk import TriggerEvent

    return TriggerEvent(
        event_id=event.event_id, trigger_id=event.trigger_id, action_hint="run_workflow", payload=event.payload
    )


def main() -> None:
    """The console script."""
    serve(FilesTrigger)
