"""Pages of rows: each row is on one of them, and a foreign cursor leads to the first."""

from __future__ import annotations

import pytest

from animus_core.store.paging import MAX_PAGE, Page


def test_the_cursors_of_pages_lead_through_all_rows_once() -> None:
    rows, seen, cursor = list(range(7)), list[int](), None
    for _ in range(3):
        page = Page.at(cursor, 3, 50)
        found, cursor = page.cut(rows[page.offset : page.offset + page.rows_to_read])
        seen += found
    assert (seen, cursor) == (rows, None)


@pytest.mark.parametrize("cursor", [None, "", "x", "-1", "\u00b2", "9" * 19])
def test_a_foreign_cursor_leads_to_the_first_page(cursor: str | None) -> None:
    assert Page.at(cursor, 3, 50).offset == 0


def test_a_page_has_a_default_and_a_bound() -> None:
    assert Page.at(None, None, 50).limit == 50
    assert Page.at(None, 10**6, 50).limit == MAX_PAGE
