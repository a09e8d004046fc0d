"""Mutants of the page that a web UI serves."""

from __future__ import annotations

from mutation import mutant

from mutants.transport_relay import CUT, Relaying, answer

HTML = "text/html; charset=utf-8"


class Serving(Relaying):
    """Answers some paths otherwise."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        changed = self.served(path, body)
        return head + body if changed is None else changed

    def served(self, path: str, body: bytes) -> bytes | None:
        """The whole answer in place of the one with `body`; None to leave that as it is."""
        raise NotImplementedError


@mutant("web-ui.page.is-html", base="web-ui")
class ServesPlainText(Serving):
    """Serves the page as plain text."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("200 OK", "text/plain", body) if path == "/" else None


@mutant("web-ui.page.is-html", base="web-ui")
class HasNoRoot(Serving):
    """Says 404 for the root."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("404 Not Found", HTML, b"<p>nothing here") if path == "/" else None


@mutant("web-ui.page.is-html", base="web-ui")
class GoesInCircles(Serving):
    """Redirects the root to itself."""

    def served(self, path: str, body: bytes) -> bytes | None:
        redirect = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return redirect if path == "/" else None


@mutant("web-ui.healthz", base="web-ui")
class IsNotWatched(Serving):
    """Says 404 for /healthz."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("404 Not Found", "text/plain", b"") if path == "/healthz" else None


@mutant("web-ui.page.loads-what-it-needs", base="web-ui")
class ForgotItsScript(Serving):
    """Says 404 for the page's script."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("404 Not Found", "text/plain", b"") if path == "/page.js" else None


@mutant("web-ui.page.loads-what-it-needs", base="web-ui")
class HangsUpOnImages(Serving):
    """Closes the connection when the page's image is asked for."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return CUT if path.startswith("/icon.svg") else None


@mutant("web-ui.page.content-types-fit", base="web-ui")
class ServesPlainStyle(Serving):
    """Serves the style sheet as plain text."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("200 OK", "text/plain", body) if path == "/page.css" else None


@mutant("web-ui.page.content-types-fit", base="web-ui")
class ServesThePageForEverything(Serving):
    """Serves the page in place of its script, as applications of one page do with unknown paths."""

    def served(self, path: str, body: bytes) -> bytes | None:
        return answer("200 OK", HTML, b"<!doctype html><p>hello") if path == "/page.js" else None


@mutant("web-ui.page.loads-nothing-foreign", base="web-ui")
class LoadsFromElsewhere(Serving):
    """Loads a script from another address."""

    def served(self, path: str, body: bytes) -> bytes | None:
        script = b'<script src="//cdn.example.org/framework.js"></script></head>'
        return answer("200 OK", HTML, body.replace(b"</head>", script)) if path == "/" else None


@mutant("web-ui.page.without-the-daemon", base="web-ui")
class IsNothingAlone(Serving):
    """Says 503 for the page while the daemon is away."""

    def served(self, path: str, body: bytes) -> bytes | None:
        is_down = path == "/" and not self.daemon_is_there()
        return answer("503 Service Unavailable", HTML, b"<p>no daemon") if is_down else None
