"""Streams that a command prints as lines: what comes is a line, and an end of the stream is the command's error."""

from __future__ import annotations

import asyncio
import json

import pytest

from animus_core.cli.follow import follow
from animus_core.control import methods
from animus_core.control.sockets import listen
from animus_core.errors import RetryLater
from animus_core.store.paths import Scope
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.models.common import StreamItem, SubscriptionClosed, Watching
from animus_protocol.models.control.daemon import SUBSCRIPTION_CLOSED
from animus_protocol.models.control.subject import SUBJECT_CHANGED, SUBJECT_WATCH, SubjectWatchParams
from animus_protocol.models.subject import SubjectChangedEvent

AT = "2026-01-01T00:00:00Z"
SUBJECT = {"id": "A", "kind": "task", "title": "ä", "status": "ready", "created_at": AT, "updated_at": AT}
CHANGE = {"id": "A", "change_kind": "created", "subject": SUBJECT}


async def watch(params: SubjectWatchParams, asker: Asker) -> Watching:
    event = SubjectChangedEvent.model_validate(CHANGE)
    asker.peer.notify(SUBJECT_CHANGED, StreamItem[SubjectChangedEvent](id=asker.request_id, data=event))
    asker.peer.notify(SUBSCRIPTION_CLOSED, SubscriptionClosed(id=asker.request_id, reason="no plugin serves it"))
    return Watching()


async def test_a_stream_that_the_daemon_ends_is_an_error_after_the_lines_that_came(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path_factory.mktemp("f")
    scope = Scope.of(base, {"ANIMUS_CONFIG_DIR": str(base / "c")})
    scope.create()

    async def work() -> None:
        table = Dispatcher()
        table.answer(SUBJECT_WATCH, watch)
        listener = listen(scope.control_socket, table, "client")
        try:
            async with asyncio.timeout(20):
                stream = methods.SUBJECT_WATCH({})
                await asyncio.to_thread(lambda: follow(scope, stream, methods.SUBJECT_CHANGED))
        finally:
            await listener.close()

    with pytest.raises(RetryLater, match="the daemon has ended the stream: no plugin serves it"):
        await work()
    assert json.loads(capsys.readouterr().out) == CHANGE
