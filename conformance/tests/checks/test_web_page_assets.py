"""What counts as an asset of a page, and where it is."""

from __future__ import annotations

import pytest

from animus_conformance.checks.web_page import Asset, assets_of, same_origin_path
from animus_conformance.wire.http import Address

HERE = Address("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<script src="page.js"></script>', ("script", "/ui/page.js")),
        ('<LINK REL="StyleSheet" HREF="/a.css?v=2">', ("style sheet", "/a.css?v=2")),
        ('<link rel="shortcut icon" href="../icon.svg">', ("image", "/icon.svg")),
        ('<base href="/other/"><img src="a.png">', ("image", "/other/a.png")),
        ('<script type=module src="http://127.0.0.1:8080/m.js">', ("script", "/m.js")),
        ('<script src="https://127.0.0.1:8080/m.js">', ("script", None)),
        ('<img src="//cdn.example.org/a.png">', ("image", None)),
        ('<script src="http://127.0.0.1:8081/m.js">', ("script", None)),
    ],
)
def test_an_asset_is_found_with_its_place(html: str, expected: tuple[str, str | None]) -> None:
    found = assets_of(html.encode(), HERE, "/ui/")
    assert [(one.role, one.path) for one in found] == [expected]


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        '<link rel="icon" href="data:,">',
        '<a href="//example.org">',
        '<link rel=author href="/me">',
    ],
)
def test_what_is_in_the_page_or_not_loaded_is_no_asset(html: str) -> None:
    assert assets_of(html.encode(), HERE, "/") == []


def test_an_asset_that_is_named_twice_is_one() -> None:
    assert len(assets_of(b'<img src="a.png"><img src="a.png">', HERE, "/")) == 1


def test_a_redirect_elsewhere_has_no_path_here() -> None:
    assert same_origin_path(HERE, "/", "http://example.org/") is None
    assert same_origin_path(HERE, "/", "ui/") == "/ui/"


@pytest.mark.parametrize(
    ("role", "media_type", "fits"),
    [
        ("script", "text/javascript", True),
        ("script", "text/plain", False),
        ("style sheet", "text/css", True),
        ("style sheet", "text/html", False),
        ("image", "image/svg+xml", True),
        ("image", "text/html", False),
    ],
)
def test_browsers_take_what_fits(role: str, media_type: str, fits: bool) -> None:
    assert Asset(role, "/x", "/x").fits(media_type) is fits
