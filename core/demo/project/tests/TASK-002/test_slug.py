import pytest
from pocket.slug import slug


@pytest.mark.parametrize(
    ("title", "text"), [("Hello World", "hello-world"), ("  A  tale, of two!  ", "a-tale-of-two"), ("--", "")]
)
def test_titles_become_slugs(title: str, text: str) -> None:
    assert slug(title) == text
