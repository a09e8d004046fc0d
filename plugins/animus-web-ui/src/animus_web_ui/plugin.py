"""The plugin process: a page for people, and the SDK's bridge from HTTP to the daemon that the page asks.

Started by a host as `animus-web-ui`; below lies `animus_sdk.http`, whose server is imported only when there is
something to open, so that `--manifest` answers quickly. The page itself is in `page/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_sdk import WebUi, http, serve

if TYPE_CHECKING:
    from animus_sdk import Opening

__all__ = ["WebPage", "main"]

# A fixed list: no path of a request ever becomes the name of a file.
_PAGES: Final = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/api.js": ("api.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class WebPage(WebUi["http.HttpConfig"]):
    """Subjects, queue, runs and live events of a project in the browser."""

    name = "animus-web-ui"
    version = "0.1.0"
    description = "Animus in the browser: one page with subjects, queue, runs and live events."
    supports_streaming = True

    async def open(self, opening: Opening[http.HttpConfig]) -> str:
        """Listen, serve the page, and bridge what it asks."""
        from importlib.resources import files

        folder = files("animus_web_ui") / "page"
        pages = {path: http.Page((folder / name).read_bytes(), kind) for path, (name, kind) in _PAGES.items()}
        # Kept before it opens: `close` comes also after an `open` that was cancelled in the middle.
        self._bridge: http.HttpBridge = http.HttpBridge(self.version, pages)
        return await self._bridge.open(opening)

    async def close(self) -> None:
        """Finish what is under way and release the address."""
        await self._bridge.close()


def main() -> None:
    """The console script."""
    serve(WebPage)
