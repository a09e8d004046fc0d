from __future__ import annotations

import keyword
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_templates import KINDS, BadAnswer
from animus_templates.filters import python, quoted
from animus_templates.names import camel, line, slug
from animus_templates.version import VERSION


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-tickets", "my-tickets"),
        ("My Tickets", "my-tickets"),
        ("my.tickets", "my-tickets"),
        ("Größe", "grosse"),
        ("class", "class"),
        ("7days", "7days"),
        ("-x", "x"),
        ("animus-subject-my-tickets", "my-tickets"),
        ("../../etc/passwd", "etc-passwd"),
        ("a_b__c", "a-b-c"),
    ],
)
def test_a_name_becomes_the_end_of_a_distributions_name(name: str, expected: str) -> None:
    assert slug(name, "subject") == expected


@pytest.mark.parametrize("name", ["", " ", "-", "!?", "_"])
def test_a_name_that_nothing_is_left_of_is_refused(name: str) -> None:
    with pytest.raises(BadAnswer, match="nothing is left"):
        slug(name, "subject")


def test_a_name_that_is_too_long_is_refused_and_not_cut() -> None:
    assert slug("x" * 32, "subject") == "x" * 32
    with pytest.raises(BadAnswer, match="200 letters are too many"):
        slug("x" * 200, "subject")


@given(st.text(), st.sampled_from(KINDS))
def test_whatever_is_typed_names_a_package_and_a_class_or_is_refused(name: str, kind: str) -> None:
    try:
        found = slug(name, kind)
    except BadAnswer:
        return
    package = f"animus-{kind}-{found}".replace("-", "_")
    assert package.isidentifier()
    assert package.isascii()
    assert package == package.lower()
    assert not keyword.iskeyword(package)
    assert camel(found).isidentifier()
    assert slug(found, kind) == found


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "a\x1b[31mcolour", "a\u202eb", "x" * 91])
def test_an_answer_that_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(BadAnswer, match="author"):
        line(text, "author")


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_a_literal_reads_as_the_text_that_was_typed(text: str) -> None:
    assert eval(python(text)) == text  # noqa: S307 - the literal is what is tested
    assert tomllib.loads(f"text = {quoted(text)}")["text"] == text


def test_the_version_that_projects_record_is_the_distributions() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
