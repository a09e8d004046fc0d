"""What a page loads: its scripts, style sheets and images, as a browser would find them.

Below it lies the standard library's HTML parser.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from animus_conformance.wire.http import Address

__all__ = ["Asset", "assets_of", "same_origin_path"]

_SCRIPTS: Final = frozenset(
    {
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "text/ecmascript",
        "application/ecmascript",
    }
)
_LINKS: Final = {"stylesheet": "style sheet", "icon": "image", "apple-touch-icon": "image", "modulepreload": "script"}


class Asset(NamedTuple):
    """Something that a page loads. `path` is where it is at the page's own address, None for what is elsewhere."""

    role: str
    url: str
    path: str | None

    def fits(self, media_type: str) -> bool:
        """Whether browsers take `media_type` for this role."""
        match self.role:
            case "script":
                return media_type in _SCRIPTS
            case "style sheet":
                return media_type == "text/css"
            case _:
                return media_type.startswith("image/")


def assets_of(page: bytes, address: Address, path: str) -> list[Asset]:
    """What the page at `path` loads, each thing once; what stands in the page itself (`data:`) is no asset."""
    parser = _Links()
    parser.feed(page.decode(errors="replace"))
    base = urljoin(path, parser.base)
    found = dict.fromkeys((role, url) for role, url in parser.found if not url.startswith(("data:", "blob:", "#")))
    return [Asset(role, url, same_origin_path(address, base, url)) for role, url in found]


def same_origin_path(address: Address, base: str, url: str) -> str | None:
    """Path and query of `url`, seen from the page at `base`; None when it is at another address."""
    whole = urlsplit(urljoin(f"http://{address}{base}", url))
    if whole.scheme != "http" or whole.port != address.port or whole.hostname not in (address.host, "localhost"):
        return None
    return (whole.path or "/") + (f"?{whole.query}" if whole.query else "")


class _Links(HTMLParser):
    """Collects pairs of role and URL, and the page's `<base>`."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base":
            # The first one counts, as in browsers.
            self.base = self.base or given.get("href", "")
        elif tag == "link":
            for relation in given.get("rel", "").lower().split():
                if relation in _LINKS and given.get("href"):
                    self.found.append((_LINKS[relation], given["href"]))
        elif tag in ("script", "img") and given.get("src"):
            self.found.append(("script" if tag == "script" else "image", given["src"]))
