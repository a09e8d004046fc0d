"""Which file and which entry a run follows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_provider_mock.match import choose, facts_of, fill
from animus_provider_mock.script import parse_script
from animus_sdk import InvalidParams

CONTEXT = {"subject_id": "TASK-7", "phase_id": "review", "attempt": 2}


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ("{}", True),
        ("{subject: TASK-7}", True),
        ("{subject: TASK-*}", True),
        ("{subject: task-7}", False),
        ("{subject: [BUG-*, TASK-7]}", True),
        ("{subject: []}", False),
        ("{phase: implement}", False),
        ("{phase: re*, subject: TASK-7}", True),
        ("{phase: re*, subject: TASK-8}", False),
        ("{attempt: 2}", True),
        ("{attempt: '2'}", True),
        ("{attempt: 1}", False),
        ("{attempt: '>1'}", True),
        ("{attempt: '>2'}", False),
        ("{attempt: '>= 2'}", True),
        ("{attempt: '<3'}", True),
        ("{attempt: '<=1'}", False),
        ("{model: 'm?'}", True),
        ("{model: [x, y]}", False),
        ("{prompt: 'fix .* now'}", True),
        ("{prompt: '^the'}", False),
    ],
)
def test_an_entry_fits_when_all_its_conditions_do(when: str, fits: bool) -> None:
    script = parse_script("m.yaml", f"scripts: [{{when: {when}, steps: []}}]")
    assert (choose(script, facts_of("please fix the bug now", "m1", CONTEXT)) is not None) is fits


@pytest.mark.parametrize("contract", [None, [], "x", {}, {"subject_id": 7, "phase_id": None, "attempt": True}])
@pytest.mark.parametrize("when", ["{subject: '*'}", "{phase: '*'}", "{attempt: '>=0'}"])
def test_a_condition_about_something_untold_does_not_fit(contract: object, when: str) -> None:
    script = parse_script("m.yaml", f"scripts: [{{when: {when}, steps: []}}]")
    assert choose(script, facts_of("p", "m", contract)) is None


async def test_the_first_entry_that_fits_is_followed(project: Any) -> None:
    project.script(
        "scripts:\n"
        "- {when: {phase: review}, steps: [say: a]}\n"
        "- {when: {phase: impl*}, steps: [say: b]}\n"
        "- {steps: [say: c]}\n"
    )
    assert (await project.run())[0].output == "b"


async def test_a_run_that_no_entry_is_for_fails_and_names_its_facts(project: Any) -> None:
    project.script("scripts: [{when: {phase: other}, steps: []}]")
    with pytest.raises(InvalidParams, match="subject=TASK-001 phase=implement attempt=1 model=mock-1 — add one"):
        await project.run()


async def test_without_a_script_one_line_is_said_and_the_phase_advances(project: Any) -> None:
    record, stream = await project.run()
    assert record.output == stream.text == "Nothing is scripted, so there is nothing to do."
    assert record.verdict["verdict"] == "advance"


@pytest.mark.parametrize("absolute", [True, False])
async def test_the_variable_names_the_script_absolutely_or_below_the_project(project: Any, absolute: bool) -> None:
    project.script("scripts: [{steps: [say: default]}]")
    path = project.script("scripts: [{steps: [say: named]}]", "other.yaml")
    project.env["ANIMUS_MOCK_SCRIPT"] = str(path) if absolute else "other.yaml"
    assert (await project.run())[0].output == "named"


def test_an_edit_of_the_script_takes_effect_at_the_next_run(project: Any, host: Any) -> None:
    project.steps({"say": "old"})
    plugin = host()
    assert plugin.reply(plugin.start())["result"]["output"] == "old"
    project.steps({"say": "new"})
    assert plugin.reply(plugin.start())["result"]["output"] == "new"


def test_placeholders_are_replaced_everywhere_in_a_value_and_unknown_ones_stay() -> None:
    values = {"subject": "T", "prompt": "{{subject}}"}
    value = {"a": ["{{subject}}-{{x}}", 1, None], "b": {"c": "{{prompt}}"}}
    assert fill(value, values) == {"a": ["T-{{x}}", 1, None], "b": {"c": "{{subject}}"}}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_value_without_placeholders_is_not_changed(value: object) -> None:
    assert fill(value, {}) == value
