"""`${VAR}` in the raw text of a workflow file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.workflow.interpolate import interpolate
from animus_core.workflow.issues import Mistake, Severity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ${NAME} b", "a value b"),
        ("${EMPTY}", ""),
        ("${NAME:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:b-c?d}", "a:b-c?d"),
        ("${NAME:?needed}", "value"),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$$$", "$$"),
        ("$HOME and $ alone $5", "$HOME and $ alone $5"),
        ("# in a comment: ${NAME}", "# in a comment: value"),
        ("{{NAME}}", "{{NAME}}"),
    ],
)
def test_a_variable_is_replaced_as_documented(text, expected):
    assert interpolate(text, {"NAME": "value", "EMPTY": ""}, "f") == (expected, [])


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        (
            "a: 1\n# ${UNSET}",
            2,
            3,
            "the environment variable `UNSET` is not set",
            "set it, or write a default: `${UNSET:-…}`",
        ),
        (
            "${UNSET:?for the tracker}",
            1,
            1,
            "`UNSET` is not set: for the tracker",
            "set the environment variable `UNSET`",
        ),
        ("${EMPTY:?}", 1, 1, "`EMPTY` is not set", "set the environment variable `EMPTY`"),
        (
            "\n\n  ${NAME",
            3,
            3,
            "`${NAME` has no closing brace on its line",
            "close it, or write `$$` for a plain dollar sign",
        ),
        (
            "${secret.token}",
            1,
            1,
            "`${secret.token}`: secrets are not supported yet",
            "let the program read it from its own environment",
        ),
        ("${A:-${B}}", 1, 1, "`${A:-${B}` nests a variable inside another", "use one variable, with a plain default"),
        (
            "${1a}",
            1,
            1,
            "`${1a}` is not a variable",
            "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`, and `$$` for a plain dollar sign",
        ),
        (
            "${LINES}",
            1,
            1,
            "the value of `LINES` holds a line break or another control character",
            "give it a value of one line",
        ),
    ],
)
def test_a_variable_that_cannot_be_replaced_is_told_with_its_place(text, line, column, message, hint):
    _, [issue] = interpolate(text, {"EMPTY": "", "LINES": "a\nworkflows: []"}, "f")
    assert (issue.file, issue.line, issue.column) == ("f", line, column)
    assert (issue.message, issue.hint) == (message, hint)


def test_the_lines_of_later_mistakes_are_those_of_the_file_as_written(mistakes):
    text = "name: ${A}\ndescription: ${B:-x}\nphases:\n  p: { mode: ${MODE} }\n"
    assert mistakes(text, {"A": "a" * 500, "MODE": "agnt"})[0].startswith("workflows.yaml:4: unknown mode `agnt`")


def test_a_value_that_looks_like_a_secret_is_a_warning(load):
    [warning] = load("name: ${API_TOKEN}\n", {"API_TOKEN": "x"}).warnings
    assert warning.severity is Severity.WARNING
    assert str(warning).startswith(".animus/workflows.yaml:1: `API_TOKEN` looks like a secret")


def test_a_thousand_warnings_hide_neither_a_definition_nor_a_mistake(load, mistakes):
    comments = "# ${API_TOKEN}\n" * 1500
    env = {"API_TOKEN": "x"}
    assert load(comments + "phases:\n  p: { mode: agent, runtime: { tool: mock } }\n", env).phase("p") is not None
    unknown = "".join(f"  p{n}: {{ mode: agent, runtime: {{ tool: mock }} }}\n" for n in range(1500))
    late = "agents:\n  a: { tool: mock, models: [nope] }\n"
    assert mistakes(comments + "phases:\n" + unknown + late, env) == [
        "workflows.yaml:3003: `a`: unknown model `nope` — define this model"
    ]


def test_a_small_file_cannot_fill_the_memory_by_repeating_a_long_value():
    with pytest.raises(Mistake, match="variables add more than"):
        interpolate("${A}" * 1000, {"A": "x" * 100_000}, "f")


@settings(deadline=None)
@given(st.text())
def test_a_text_without_a_dollar_sign_stays_as_it_is(text):
    text = text.replace("$", "")
    assert interpolate(text, {}, "f") == (text, [])


@settings(deadline=None)
@given(st.text())
def test_doubling_every_dollar_sign_is_undone(text):
    assert interpolate(text.replace("$", "$$"), {}, "f") == (text, [])
