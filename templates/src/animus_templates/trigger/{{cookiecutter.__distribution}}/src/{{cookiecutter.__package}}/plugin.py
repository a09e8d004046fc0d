"""The plugin: an event for each file that is put into a folder, until the host has taken it for good.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lies `inbox.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from animus_sdk import Trigger, TriggerBackend, TriggerEvent, WireModel, serve
from watchfiles import awatch

from {{ cookiecutter.__package }}.inbox import Inbox, Waiting

__all__ = ["{{ cookiecutter.__class }}", "main"]

LOOK_MS: Final = 1000
"""How often to look where the system tells nothing, as on some network drives."""
QUIET_MS: Final = 50


class Folder(WireModel):
    """The configuration of one trigger: a folder, relative to the project. One without is another plugin's trigger."""

    folder: str | None = None


class {{ cookiecutter.__class }}(TriggerBackend[Folder]):
    """Files that are put into a folder."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}
    trigger_kinds = ("{{ cookiecutter.__slug }}",)
    supports_dedup = True
    supports_resume = True

    def __init__(self) -> None:
        self._told: dict[str, tuple[Inbox, Waiting]] = {}
        self._turn = threading.Lock()

    async def watch(self, triggers: Sequence[Trigger[Folder]], cursor: Any) -> AsyncGenerator[TriggerEvent, None]:
        """Every file that waits, and then every one that comes; the folders know what is done, so no cursor is needed."""
        inboxes = {
            trigger.id: Inbox(self.project_root, trigger.config.folder)
            for trigger in triggers
            if trigger.config.folder is not None
        }
        self._told = {}
        for event in self._new(inboxes):
            yield event
        if not inboxes:
            return
        folders = {inbox.folder for inbox in inboxes.values()}
        async for _ in awatch(
            *folders,
            watch_filter=None,
            step=QUIET_MS,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            recursive=False,
        ):
            for event in await asyncio.to_thread(self._new, inboxes):
                yield event

    def ack(self, event_id: str, status: str | None) -> None:
        """The file is done; an event that this process has not told, or not again, is none of its business."""
        with self._turn:  # a look in between would find the file and not that it was told
            if event_id in self._told:
                inbox, file = self._told[event_id]
                inbox.finish(file)
                del self._told[event_id]

    def _new(self, inboxes: dict[str, Inbox]) -> list[TriggerEvent]:
        """An event for each file that waits and was not told yet."""
        events = []
        with self._turn:
            for trigger_id, inbox in inboxes.items():
                for file in inbox.waiting():
                    event_id = f"{trigger_id}:{file.id}"
                    if event_id not in self._told:
                        self._told[event_id] = (inbox, file)
                        path = file.path.relative_to(self.project_root.resolve()).as_posix()
                        payload = {"path": path, "size_bytes": file.size_bytes}
                        events.append(TriggerEvent(event_id=event_id, trigger_id=trigger_id, payload=payload))
        return events


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
