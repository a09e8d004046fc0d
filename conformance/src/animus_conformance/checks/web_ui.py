"""Checks of the page that a web UI serves (protocol §4)."""

from __future__ import annotations

from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.transport_listening import Transports
from animus_conformance.checks.web_page import Asset, assets_of, same_origin_path
from animus_conformance.patience import Patience
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.http import Address, HttpTrouble, Request, Response, fetch

_MAX_REDIRECTS: Final = 3
"""From `/` to a start page takes one or two; more is a circle."""
_MAX_ASSETS: Final = 50
"""A bound for the time of the check; pages load a few files."""
_HEALTH: Final = "/healthz"


@check("web-ui.page.is-html")
async def is_html(transports: Transports, patience: Patience) -> None:
    """Asks for the root, follows redirects on the same address, and looks at status and content type."""
    _, address = await transports.shared_listening()
    try:
        path, page = await _page(patience, address)
    except HttpTrouble as trouble:
        raise Failed(str(trouble)) from None
    if page.status != 200 or page.media_type != "text/html":
        raise Failed(f"GET {path} got {page}, and not 200 with text/html")


@check("web-ui.healthz")
async def healthz(transports: Transports, patience: Patience) -> None:
    """Asks for /healthz."""
    _, address = await transports.shared_listening()
    try:
        answer = await fetch(address, Request(_HEALTH), patience.answer_s)
    except HttpTrouble as trouble:
        raise Failed(str(trouble)) from None
    if answer.status != 200:
        raise Failed(f"GET {_HEALTH} got {answer}")


@check("web-ui.page.loads-what-it-needs")
async def loads_what_it_needs(transports: Transports, patience: Patience) -> None:
    """Asks for every script, style sheet and image of the page that is on the same address."""
    _, address = await transports.shared_listening()
    for asset, answer in await _assets(patience, address, Failed):
        if answer.status != 200:
            raise Failed(f"the page needs {asset.url}, and GET {asset.path} got {answer}")


@check("web-ui.page.content-types-fit")
async def content_types_fit(transports: Transports, patience: Patience) -> None:
    """Looks at the content types of the page's scripts, style sheets and images."""
    _, address = await transports.shared_listening()
    for asset, answer in await _assets(patience, address, Unproven):
        if answer.status != 200:
            raise Unproven(f"GET {asset.path} got {answer}")
        if not asset.fits(answer.media_type):
            raise Failed(f"{asset.path} is a {asset.role} of the page, and comes as {answer.media_type!r}")


@check("web-ui.page.loads-nothing-foreign")
async def loads_nothing_foreign(transports: Transports, patience: Patience) -> None:
    """Looks for scripts, style sheets and images of the page that are elsewhere."""
    _, address = await transports.shared_listening()
    path, page = await _given_page(patience, address)
    foreign = [asset.url for asset in assets_of(page.body, address, path) if asset.path is None]
    if foreign:
        raise Failed(f"the page loads {', '.join(foreign[:3])}")


@check("web-ui.page.without-the-daemon")
async def without_the_daemon(transports: Transports, patience: Patience) -> None:
    """Stops the daemon, then asks for the page."""
    async with transports.listening() as (transport, address):
        await _given_page(patience, address)
        await transport.daemon.stop()
        try:
            path, page = await _page(patience, address)
        except HttpTrouble as trouble:
            raise Failed(f"while the daemon is away, {trouble}") from None
        if page.status != 200:
            raise Failed(f"while the daemon is away, GET {path} got {page}")


async def _page(patience: Patience, address: Address) -> tuple[str, Response]:
    """The page and its path, after redirects. Raises HttpTrouble."""
    path = address.path
    for _ in range(_MAX_REDIRECTS):
        answer = await fetch(address, Request(path, headers={"Accept": "text/html"}), patience.answer_s)
        target = same_origin_path(address, path, answer.headers.get("location", ""))
        if answer.status not in (301, 302, 303, 307, 308) or target is None:
            return path, answer
        path = target
    raise HttpTrouble(f"GET {address.path} is redirected more than {_MAX_REDIRECTS} times")


async def _given_page(patience: Patience, address: Address) -> tuple[str, Response]:
    try:
        path, page = await _page(patience, address)
    except HttpTrouble as trouble:
        raise Unproven(str(trouble)) from None
    if page.status != 200 or page.media_type != "text/html":
        raise Unproven(f"GET {path} got {page}, and no page")
    return path, page


async def _assets(
    patience: Patience, address: Address, trouble: type[Failed | Unproven]
) -> list[tuple[Asset, Response]]:
    """What the page loads from its own address, with the answers; no answer raises `trouble`."""
    path, page = await _given_page(patience, address)
    answers = []
    for asset in assets_of(page.body, address, path)[:_MAX_ASSETS]:
        if asset.path is not None:
            try:
                answers.append((asset, await fetch(address, Request(asset.path), patience.answer_s)))
            except HttpTrouble as no_answer:
                raise trouble(f"the page needs {asset.url}, and {no_answer}") from None
    return answers
