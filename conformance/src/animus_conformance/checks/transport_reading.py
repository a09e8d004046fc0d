"""How the checks of transports read through one: over HTTP at its end, from the fake daemon at the other.

`HttpBridge` is a part, below which lie the HTTP client and the fake daemon's words. Which paths ask the daemon is the
plugin's own business, so the settings name them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from animus_conformance.checks.transport_listening import SCHEMA
from animus_conformance.control.answers import TELLING
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.kinds import Kind
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.http import Address, HttpTrouble, Request, Response, fetch, streaming

__all__ = ["Body", "HttpBridge", "missing_words", "words_asked_for"]

_READ: Final = "transport/start.http"
_STREAM: Final = "transport/start.stream"
# A stream never ends by itself, and a transport may repeat all that ever happened on it.
_MAX_BODY_BYTES: Final = 4 * 1024 * 1024


def words_asked_for(daemon: FakeDaemon, before: int, request: Request) -> tuple[str, ...]:
    """What the daemon has said since it had been asked `before` things. Raises Unproven when that is nothing."""
    asked = [question.method for question in daemon.asked[before:]]
    if not asked:
        raise Unproven(f"first {request} did not make it ask the daemon")
    words = tuple(word for method in asked for word in TELLING.get(method, ()))
    if not words:
        raise Unproven(
            f"{request} asks for {', '.join(asked)}, and the suite's daemon answers only {', '.join(TELLING)}"
        )
    return words


def missing_words(answer: Response, words: tuple[str, ...]) -> str:
    """What of the daemon's words the answer does not show, in a sentence; empty when it shows all."""
    missing = [word for word in words if word not in answer.text]
    return f"the daemon said {missing[0]!r}, and the answer is {answer}" if missing else ""


class Body:
    """What comes on a stream, collected while it comes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._news = asyncio.Event()

    async def collect(self, pieces: AsyncIterator[bytes]) -> None:
        """Until the stream's end."""
        with contextlib.suppress(HttpTrouble):  # whatever has come by then is judged
            async for piece in pieces:
                self._bytes += piece
                self._news.set()
                if len(self._bytes) > _MAX_BODY_BYTES:
                    return

    @property
    def text(self) -> str:
        """All of it so far."""
        return self._bytes.decode(errors="replace")

    async def shows(self, word: str, within_s: float) -> bool:
        """Whether `word` has come, or comes in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while word not in self.text:
                    self._news.clear()
                    await self._news.wait()
        return word in self.text


class HttpBridge:
    """What a transport serves over HTTP and how it is asked for there, as schema and settings say."""

    def __init__(
        self, processes: Processes, claims: Claims, kind: Kind, settings: SuiteSettings, patience: Patience
    ) -> None:
        self._processes = processes
        self._claims = claims
        self._kind = kind
        self._settings = settings
        self._patience = patience

    @property
    def names_a_read(self) -> bool:
        """Whether the settings say what makes the transport ask the daemon."""
        return _READ in self._settings.params

    async def require_http(self) -> None:
        """Raises NotAdvertised for a transport whose schema does not name http; a web UI serves it in any case."""
        if self._kind.name != "web-ui":
            kinds = (await self._schema())["kinds"]
            if "http" not in [kind.lower() for kind in kinds]:
                raise NotAdvertised(
                    f"the schema names {', '.join(kinds) or 'no kind'}, and the suite speaks http alone"
                )

    async def require_streaming(self) -> None:
        """Raises NotAdvertised where the schema does not say supports_streaming over http."""
        await self.require_http()
        if not (await self._schema())["supports_streaming"]:
            raise NotAdvertised("the schema says supports_streaming false")

    def read_request(self) -> Request:
        """The request that makes the transport ask the daemon. Raises Unproven where the settings name none."""
        return self._request(_READ, "/api/v1/subjects", "asks the daemon for subjects, the queue or its status")

    def stream_request(self) -> Request:
        """The request that opens a stream. Raises Unproven where the settings name none."""
        return self._request(_STREAM, "/api/v1/events", "streams what happens in the daemon")

    async def read_through(
        self, daemon: FakeDaemon, address: Address, request: Request
    ) -> tuple[Response, tuple[str, ...]]:
        """The answer, and the words that the daemon has said for it. Raises Unproven when the daemon was not asked."""
        before = len(daemon.asked)
        try:
            answer = await fetch(address, request, self._patience.answer_s)
        except HttpTrouble as trouble:
            raise Unproven(f"first {trouble}") from None
        return answer, words_asked_for(daemon, before, request)

    @contextlib.asynccontextmanager
    async def held_read(
        self, daemon: FakeDaemon, address: Address, within_s: float
    ) -> AsyncIterator[asyncio.Task[Response]]:
        """A read that waits for the daemon, which holds its answer back. Raises Unproven when it does not get there."""
        request, before = self.read_request(), len(daemon.asked)
        daemon.hold()
        reading = asyncio.create_task(fetch(address, request, within_s))
        try:
            if await daemon.was_asked(after=before, within_s=self._patience.answer_s) is None:
                raise Unproven(f"first {request} did not make it ask the daemon")
            yield reading
        finally:
            daemon.release()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def listened_to(self, address: Address) -> AsyncIterator[Body]:
        """A stream that is open. Raises Failed when it does not open."""
        request = self.stream_request()
        body = Body()
        try:
            async with streaming(address, request, self._patience.answer_s) as (response, pieces):
                if response.status != 200:
                    raise Failed(f"{request} got {response.status}")
                collecting = asyncio.create_task(body.collect(pieces))
                try:
                    yield body
                finally:
                    collecting.cancel()
                    await asyncio.gather(collecting, return_exceptions=True)
        except HttpTrouble as trouble:
            raise Failed(str(trouble)) from None

    async def _schema(self) -> Any:
        host = await self._processes.shared()
        if SCHEMA not in self._claims.advertised:
            raise NotAdvertised(f"{SCHEMA} is not advertised, so nothing says what is served")
        return await host.given(SCHEMA)

    def _request(self, name: str, example: str, what: str) -> Request:
        given = self._settings.params.get(name, {})
        if not isinstance(given.get("path"), str):
            raise Unproven(f'name a path that {what} in conformance.toml: [params."{name}"] path = "{example}"')
        headers = {str(key): str(value) for key, value in given.get("headers", {}).items()}
        return Request(given["path"], str(given.get("method", "GET")), headers, str(given.get("body", "")))
