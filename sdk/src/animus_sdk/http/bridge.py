"""The bridge that a plugin opens and closes: an HTTP server in front of the daemon's control socket.

Below lie the server, the guard, the endpoints and the control client.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from animus_sdk.control import Control
from animus_sdk.http.config import HttpConfig, listening_address, token_of
from animus_sdk.http.event_stream import EventStream
from animus_sdk.http.exchange import exchange
from animus_sdk.http.guard import Guard, Rules
from animus_sdk.http.openapi import openapi_document
from animus_sdk.http.pages import Page
from animus_sdk.http.refusals import ANSWERS
from animus_sdk.http.routes import FEEDS, ROUTES
from animus_sdk.http.server import HttpServer
from animus_sdk.roles.transport import Opening

__all__ = ["HttpBridge"]

_log = logging.getLogger("animus.http")
_HEALTH: Final = "/healthz"
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class HttpBridge:
    """Serves the API, `/openapi.json`, `/healthz`, and `pages` by their paths. `version` is the plugin's.

    Pages and `/healthz` need no token: they tell nothing of the project.
    """

    def __init__(self, version: str, pages: Mapping[str, Page] | None = None) -> None:
        self._version = version
        self._pages = dict(pages or {})
        self._closing = asyncio.Event()
        self._server: HttpServer | None = None
        self._control: Control | None = None

    async def open(self, opening: Opening[HttpConfig]) -> str:
        """Listen; the address as `host:port`. Raises InvalidParams for the address or the configuration, OSError."""
        config = opening.config
        host, port = listening_address(opening.bind_addr, config)
        # Names of hosts know no case, and the guard compares them in small letters.
        names = frozenset(name.lower() for name in config.allowed_hosts)
        rules = Rules(names, token_of(config, os.environ), frozenset({_HEALTH, *self._pages}))
        self._server = HttpServer(host, port)
        self._control = Control(opening.control_socket_path)
        if config.allow_remote and rules.token is None:
            _log.warning("%s: whoever reaches this address may do everything: no token is set", self._server.address)
        self._server.serve(Guard(self._application(self._control), rules))
        return self._server.address

    async def close(self) -> None:
        """End the event streams, let other requests finish (3 s at most), release the address."""
        self._closing.set()
        if self._server is not None:
            await self._server.close()
        if self._control is not None:
            await self._control.aclose()

    def _application(self, control: Control) -> ASGIApp:
        routes = [
            Route(_HEALTH, _healthy),
            Route("/openapi.json", self._describe),
            *(Route(path, _page(page), methods=["GET"]) for path, page in self._pages.items()),
            *(Route(feed.path, EventStream(feed, control, self._closing), methods=["GET"]) for feed in FEEDS),
            *(Route(row.path, exchange(row, control), methods=[row.verb]) for row in ROUTES),
        ]
        application = Starlette(routes=routes, exception_handlers=ANSWERS)
        application.router.redirect_slashes = False
        return application

    async def _describe(self, _: Request) -> Response:
        return JSONResponse(openapi_document(self._version))


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _page(page: Page) -> ASGIApp:
    return Response(page.content, media_type=page.media_type, headers={"content-security-policy": _PAGE_POLICY})
