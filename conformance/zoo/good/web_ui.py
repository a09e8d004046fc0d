"""A good web UI: a page with a script, a style sheet and an image, over what the good transport serves.

`--variant` names another way to keep the protocol (protocol §4): `redirecting` has its page elsewhere, `as-transport`
is a transport with the flag `$ui/web`.
"""

from __future__ import annotations

import json

from http_server import Answer
from lines import TYPE_CHECKING
from transport import VARIANT, Transport

if TYPE_CHECKING:
    from typing import ClassVar

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Subjects</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{base}page.css">
<script src="{base}page.js" defer></script>
</head>
<body><img src="{base}icon.svg?v=1" alt=""><ul id="subjects"></ul></body>
</html>
"""
FILES = {
    "page.css": ("text/css; charset=utf-8", b"body { font-family: sans-serif }\n"),
    "page.js": ("text/javascript", b"fetch('/subjects').then(a => a.json()).then(console.log)\n"),
    "icon.svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>\n'),
}
BASE = "/ui/" if VARIANT == "redirecting" else "/"


class WebUi(Transport):
    """A page at the root, or where the root redirects to."""

    plugin_kind = "transport_backend" if VARIANT == "as-transport" else "web_ui"
    name = "good-web-ui"
    flags: ClassVar[tuple[str, ...]] = ("$ui/web",) if VARIANT == "as-transport" else ()

    def route(self, path: str) -> Answer:
        if path == "/healthz":
            return 200, "application/json", json.dumps({"status": "ok"}).encode()
        if path == BASE:
            return 200, "text/html; charset=utf-8", PAGE.format(base="" if BASE == "/" else BASE).encode()
        if path == "/":
            return 302, BASE, b""
        if path.startswith(BASE) and path.removeprefix(BASE) in FILES:
            return (200, *FILES[path.removeprefix(BASE)])
        return super().route(path)


def main() -> None:
    WebUi().serve()


if __name__ == "__main__":
    main()
