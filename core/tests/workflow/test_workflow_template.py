"""`{{name}}` at run time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.workflow.template import render

NAMES = st.text(st.characters(blacklist_characters="{}"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Do {{goal}}.", "Do it."),
        ("{{goal}}{{goal}}", "itit"),
        ("{{ goal }}", "{{ goal }}"),
        ("{{Goal}}", "{{Goal}}"),
        ("{{unknown}}", "{{unknown}}"),
        ("{goal} ${goal} {{}} {{goal", "{goal} ${goal} {{}} {{goal"),
        ("{{{goal}}}", "{it}"),
        ("{{trigger.payload.ref}}", "main"),
        ("{{loop}}", "{{goal}}"),
    ],
)
def test_a_known_name_is_replaced_and_all_else_stays(text, expected):
    values = {"goal": "it", "trigger.payload.ref": "main", "loop": "{{goal}}"}
    assert render(text, values) == expected


@settings(deadline=None)
@given(st.text())
def test_without_values_nothing_changes(text):
    assert render(text, {}) == text


@settings(deadline=None)
@given(
    NAMES,
    st.text(),
    st.text(st.characters(blacklist_characters="{}")),
    st.text(st.characters(blacklist_characters="{}")),
)
def test_a_value_arrives_as_it_is(name, value, before, after):
    assert render(f"{before}{{{{{name}}}}}{after}", {name: value}) == before + value + after


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.sampled_from(["{{a}}", "{{", "}}", "x"])), st.lists(NAMES, max_size=5))
def test_values_are_never_expanded_again(values, names):
    text = "".join(f"<{{{{{name}}}}}>" for name in names)
    assert render(text, values) == "".join(f"<{values.get(name, '{{' + name + '}}')}>" for name in names)
