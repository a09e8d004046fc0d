"""The plugin: answers HTTP requests with what the daemon says.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lies `http.py`.
It reads and never changes anything: whoever may use this machine may ask it.
"""

from __future__ import annotations

from typing import Final

from animus_sdk import Control, InvalidParams, Opening, RpcError, TransportBackend, WireModel, serve
from animus_sdk.http import HttpConfig, listening_address
from pydantic import ConfigDict

from {{ cookiecutter.__package }}.http import HttpServer, Request, Response, as_json

__all__ = ["{{ cookiecutter.__class }}", "main"]

READING: Final = ("daemon/status", "queue/list", "queue/stats", "subject/get", "subject/list", "workflow/list")
STATUS: Final = {"not_found": 404, "invalid_request": 400, "permission_denied": 403, "unavailable": 503}


class Offer(WireModel):
    """The configuration: which methods of the control protocol can be asked for, of those that only read."""

    model_config = ConfigDict(extra="forbid")

    methods: tuple[str, ...] = READING


class {{ cookiecutter.__class }}(TransportBackend[Offer]):
    """Reading methods of the control protocol, as JSON over HTTP."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}

    async def open(self, opening: Opening[Offer]) -> str:
        """Listen on this machine; by default on a port that the system chooses."""
        self._methods = frozenset(opening.config.methods)
        if others := self._methods.difference(READING):
            unknown, known = ", ".join(sorted(others)), ", ".join(READING)
            raise InvalidParams(f"config.methods: {unknown}: only {known} can be offered")
        host, port = listening_address(opening.bind_addr, HttpConfig())
        self._control = Control(opening.control_socket_path)
        self._server = HttpServer(self._answer)
        return await self._server.listen(host, port)

    async def close(self) -> None:
        """Also after an `open` that came to nothing."""
        if hasattr(self, "_server"):
            await self._server.close()
            await self._control.aclose()

    async def _answer(self, request: Request) -> Response:
        method = request.path.removeprefix("/")
        if method == "healthz":
            return as_json({"status": "ok"})
        if method not in self._methods:
            return as_json({"error": f"no such path; there are {', '.join(sorted(self._methods))}"}, 404)
        try:
            return as_json(await self._control.request(method, request.query))
        except RpcError as error:
            return as_json({"error": error.message}, STATUS.get(error.category or "", 500))


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
