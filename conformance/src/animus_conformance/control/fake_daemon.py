"""The fake daemon: a Unix socket with NDJSON JSON-RPC that records what it is asked (protocol §5).

Its path is given to `transport/start`. Below it lie the answers and asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple

from animus_conformance.control.answers import ANSWERS, STREAMS, Json, stream_item

__all__ = ["Asked", "FakeDaemon"]

_MAX_PATH_BYTES: Final = 100
"""A Unix socket's path has 104 bytes on macOS and 108 on Linux, its end included."""
_MAX_LINE_BYTES: Final = 4 * 1024 * 1024
_MAX_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""A transport that reads no more must not fill the suite's memory."""


class Asked(NamedTuple):
    """A request that came."""

    method: str
    params: Json


class _Stream(NamedTuple):
    """A subscription: whose it is, the id that its notifications carry, and the method that opened it."""

    writer: asyncio.StreamWriter
    request_id: Json
    method: str


class FakeDaemon:
    """`async with FakeDaemon.running() as daemon`. It may be stopped and started again on the same path.

    `asked` is every request so far, in order, over all connections. While it holds answers back, streams go on.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control.sock"
        self.asked: list[Asked] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: list[_Stream] = []
        self._held: list[Callable[[], None]] = []
        self._holds = False
        self._number = 0
        self._news = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[FakeDaemon]:
        """One on a path of its own, which is short enough for a socket; gone with the end of the block."""
        folder = _short_folder()
        daemon = cls(folder)
        try:
            await daemon.start()
            yield daemon
        finally:
            await daemon.stop()
            shutil.rmtree(folder, ignore_errors=True)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._connected, self.path, limit=_MAX_LINE_BYTES)

    async def stop(self) -> None:
        """Cut every connection, forget what is held back, and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._held, self._holds = [], False
        self.path.unlink(missing_ok=True)

    def hold(self) -> None:
        """Hold the answers to what is asked from now on back."""
        self._holds = True

    def let_pass(self) -> None:
        """Answer what is asked from now on at once; what is held back stays so."""
        self._holds = False

    def release(self) -> None:
        """Answer what is held back, and from now on at once."""
        self._holds = False
        held, self._held = self._held, []
        for answer in held:
            answer()

    async def was_asked(self, *, after: int = 0, within_s: float) -> Asked | None:
        """The first request from number `after` on; None when none comes in time."""
        await self._until(lambda: len(self.asked) > after, within_s)
        return self.asked[after] if len(self.asked) > after else None

    async def is_listened_to(self, within_s: float) -> bool:
        """Whether somebody has a stream open, or opens one in time."""
        await self._until(lambda: bool(self._streams), within_s)
        return bool(self._streams)

    def tell(self, word: str) -> None:
        """A new item with `word` in it, on every open stream."""
        self._number += 1
        for stream in self._streams:
            data = stream_item(stream.method, self._number, word)
            message = {"method": STREAMS[stream.method], "params": {"id": stream.request_id, "data": data}}
            _write(stream.writer, message)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                self._take(line, writer)
        except (ConnectionError, ValueError):  # cut off, or a line over the limit
            pass
        finally:
            self._writers.discard(writer)
            self._streams = [stream for stream in self._streams if stream.writer is not writer]
            writer.close()

    def _take(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return _refuse(writer, None, -32700, "no JSON")
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _refuse(writer, None, -32600, "no request")
        method, request_id, params = message["method"], message.get("id"), message.get("params") or {}
        if method == "$/cancelRequest":
            wanted = params.get("id") if isinstance(params, dict) else None
            self._streams = [
                stream for stream in self._streams if stream.writer is not writer or stream.request_id != wanted
            ]
        elif request_id is not None:
            self.asked.append(Asked(method, params))
            self._answer(writer, request_id, method)
            self._news.set()
        return None

    def _answer(self, writer: asyncio.StreamWriter, request_id: Json, method: str) -> None:
        if method in STREAMS:
            _write(writer, {"id": request_id, "result": {"watching": True}})
            self._streams.append(_Stream(writer, request_id, method))
        elif self._holds:
            self._held.append(lambda: _say(writer, request_id, method))
        else:
            _say(writer, request_id, method)

    async def _until(self, happened: Callable[[], bool], within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not happened():
                    self._news.clear()
                    await self._news.wait()


def _say(writer: asyncio.StreamWriter, request_id: Json, method: str) -> None:
    if method in ANSWERS:
        _write(writer, {"id": request_id, "result": ANSWERS[method]})
    else:
        _refuse(writer, request_id, -32601, f"unknown method {method}")


def _refuse(writer: asyncio.StreamWriter, request_id: Json, code: int, message: str) -> None:
    category = "not_supported" if code == -32601 else "invalid_request"
    error = {"code": code, "message": message, "data": {"category": category, "message": message}}
    _write(writer, {"id": request_id, "error": error})


def _write(writer: asyncio.StreamWriter, message: Json) -> None:
    """One line; who leaves too much unread is cut off."""
    if writer.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
        writer.transport.abort()
    if not writer.is_closing():
        writer.write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n")


def _short_folder() -> Path:
    """A folder of the user's own in which a socket's path stays below what the system allows."""
    folder = Path(tempfile.mkdtemp(prefix="animus-control-"))
    if len(bytes(folder / "control.sock")) <= _MAX_PATH_BYTES:
        return folder
    folder.rmdir()
    # TMPDIR may lie too deep for a socket; /tmp never does.
    return Path(tempfile.mkdtemp(prefix="animus-control-", dir="/tmp"))
