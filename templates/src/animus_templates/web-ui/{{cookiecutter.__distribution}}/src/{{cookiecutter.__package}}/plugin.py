"""The plugin: one page for people, and what it shows.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lies `http.py`. What it serves is in the folder `page`.
"""

from __future__ import annotations

import html
from pathlib import Path
from string import Template
from typing import Final

from animus_sdk import Control, Opening, RpcError, WebUi, WireModel, serve
from animus_sdk.http import HttpConfig, listening_address
from pydantic import ConfigDict

from {{ cookiecutter.__package }}.http import HttpServer, Request, Response, as_json

__all__ = ["{{ cookiecutter.__class }}", "main"]

FILES: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


class Look(WireModel):
    """The configuration."""

    model_config = ConfigDict(extra="forbid")

    title: str = "Animus"


class {{ cookiecutter.__class }}(WebUi[Look]):
    """A page that shows what the daemon does."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}

    async def open(self, opening: Opening[Look]) -> str:
        """Listen on this machine; by default on a port that the system chooses."""
        host, port = listening_address(opening.bind_addr, HttpConfig())
        folder = Path(__file__).with_name("page")
        page = Template((folder / "index.html").read_text(encoding="utf-8"))
        shown = {"title": html.escape(opening.config.title), "project": html.escape(opening.project_root)}
        self._files = {
            "/": Response(200, page.substitute(shown).encode(), "text/html; charset=utf-8"),
            **{f"/{name}": Response(200, (folder / name).read_bytes(), kind) for name, kind in FILES.items()},
        }
        self._control = Control(opening.control_socket_path)
        self._server = HttpServer(self._answer)
        return f"http://{await self._server.listen(host, port)}"

    async def close(self) -> None:
        """Also after an `open` that came to nothing."""
        if hasattr(self, "_server"):
            await self._server.close()
            await self._control.aclose()

    async def _answer(self, request: Request) -> Response:
        if request.path in self._files:
            return self._files[request.path]
        if request.path == "/healthz":
            return as_json({"status": "ok"})
        if request.path == "/status.json":
            try:
                return as_json(await self._control.request("daemon/status"))
            except RpcError as error:
                return as_json({"running": False, "reason": str(error)}, 503)
        return as_json({"error": "no such page"}, 404)


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
