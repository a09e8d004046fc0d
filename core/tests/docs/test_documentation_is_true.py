"""What the documentation says is what happens: its pages are carried out, its lists are compared with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["tutorial.md", "how-to/after-a-crash.md", "how-to/write-a-workflow.md", "how-to/write-a-plugin.md"])
def test_a_reader_who_follows_the_page_sees_what_it_says(reader, name):
    assert reader.follow(DOCS / name) > 0
