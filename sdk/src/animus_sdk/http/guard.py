"""Who may ask at all: the host that was asked for, the page that asks, and the token; and the headers of every answer.

Stands in front of the whole application; below lies `refusals.py`. A page in a browser can send requests to this
machine's own addresses, so listening on the loopback alone protects nothing: a foreign page shows in `Origin`, and a
foreign name that was pointed here (DNS rebinding) shows in `Host`.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from typing import Final, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animus_sdk.http.refusals import refusal

__all__ = ["Guard", "Rules", "objection"]

_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::[0-9]*)?")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Rules(NamedTuple):
    """`hosts`: names under which this server may be asked; `public`: paths that need no `token`."""

    hosts: frozenset[str]
    token: str | None
    public: frozenset[str]


def objection(path: str, headers: Headers, rules: Rules) -> tuple[int, str] | None:
    """The status and the reason to turn a request away; None to let it pass."""
    host = headers.get("host", "")
    if not _is_ours(host, rules.hosts):
        return 403, f"this server is not to be asked as {host!r}: use its IP address, or add the name to allowed_hosts"
    origin = headers.get("origin")
    # Programs send no `Origin`. Browsers send it with what a foreign page asks for, and the page cannot change it.
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return 403, f"pages of {origin} may not ask this server"
    if rules.token is not None and path not in rules.public:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # How long the comparison takes must not tell how much is right; as bytes, because it refuses text beyond ASCII.
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), rules.token.encode()):
            return 401, "a token is needed: Authorization: Bearer …"
    return None


class Guard:
    """ASGI middleware by `rules`."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away; either way the answer carries the headers that protect browsers."""
        began = False

        async def send_protected(message: Message) -> None:
            nonlocal began
            began = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        found = objection(scope["path"], Headers(scope=scope), self._rules)
        if found is None:
            try:
                await self._app(scope, receive, send_protected)
            except asyncio.CancelledError:  # the server ends, and has waited for this request long enough
                if not began:
                    await refusal(503, "unavailable", "this server is being closed")(scope, receive, send_protected)
            return
        status, reason = found
        demand = {"www-authenticate": "Bearer"} if status == 401 else None
        await refusal(status, "permission_denied", reason, headers=demand)(scope, receive, send_protected)


def _is_ours(host: str, names: frozenset[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match["v6"] or match["name"]
    if name == "localhost" or name in names:
        return True
    try:
        # Any plain address is good: rebinding needs a name that somebody else can point here.
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
