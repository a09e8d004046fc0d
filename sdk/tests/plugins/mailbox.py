"""A trigger whose events are the lines of the project's `inbox.txt`; acknowledged ones stand in `acked.txt`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from animus_protocol.models.base import WireModel
from animus_sdk import ProjectBinding, Trigger, TriggerBackend, TriggerEvent, Unavailable, serve


class MailConfig(WireModel):
    folder: str


class Mailbox(TriggerBackend[MailConfig]):
    name = "animus-trigger-mailbox"
    version = "0.0.1"
    trigger_kinds = ("mail",)
    supports_dedup = True

    def start(self, project: ProjectBinding) -> None:
        self.inbox, self.acked = self.project_root / "inbox.txt", self.project_root / "acked.txt"

    async def watch(self, triggers: Sequence[Trigger[MailConfig]], cursor: Any) -> AsyncIterator[TriggerEvent]:
        done = self.acked.read_text().split() if self.acked.exists() else []
        for line in self.inbox.read_text().split():
            if line == "broken":
                raise Unavailable("the folder is gone")
            if line not in done:
                yield TriggerEvent(event_id=line, trigger_id=triggers[0].id, payload={"in": triggers[0].config.folder})
        await asyncio.Event().wait()

    def ack(self, event_id: str, status: str | None) -> None:
        with self.acked.open("a") as file:
            file.write(event_id + "\n")


if __name__ == "__main__":
    serve(Mailbox)
