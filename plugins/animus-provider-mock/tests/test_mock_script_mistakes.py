"""A mistake in a script is told with file, line, what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from animus_provider_mock.nodes import ScriptError
from animus_provider_mock.script import load_script, parse_script
from animus_sdk import InvalidParams

MISTAKES = [
    ("", 1, "the file is empty", 'write "scripts:"'),
    ("[]", 1, "the file needs a mapping and is a list", "key: value"),
    ("scripts: [\n", 2, "not YAML", "fix the line"),
    ("scripts: []\n---\nscripts: []", 2, "not YAML", "fix the line"),
    ("script: []", 1, 'no key "script"', 'did you mean "scripts"?'),
    ("scripts: []\nscripts: []", 2, 'the key "scripts" is given twice', "the first is at"),
    ("scripts:", 1, "scripts needs a list and is empty", '"- "'),
    ("scripts:\n- when: {}", 2, 'lacks the key "steps"', 'add "steps:"'),
    ("scripts:\n- steps: []\n  1: 2", 3, "needs a text and is a number", "quotes"),
    ("scripts:\n- when: {fase: x}\n  steps: []", 2, 'when has no key "fase"', 'did you mean "phase"?'),
    ("scripts:\n- when: {attempt: soon}\n  steps: []", 2, 'attempt is "soon"', '">1"'),
    ("scripts:\n- when: {attempt: 1.5}\n  steps: []", 2, "attempt needs a whole number", "such as 1"),
    ("scripts:\n- when: {prompt: '('}\n  steps: []", 2, "not a regular expression", "fix the pattern"),
    ("scripts:\n- when: {subject: [1]}\n  steps: []", 2, "needs a text and is a number", "quotes"),
]
STEP_MISTAKES = [
    ("hello", "a step needs a mapping", "key: value"),
    ("{}", "this step is empty", "one key"),
    ("{say: a, think: b}", "this step has 2 keys: say, think", "one key"),
    ("thnk: x", 'a step has no key "thnk"', 'did you mean "think"?'),
    ("xyz: x", 'a step has no key "xyz"', "write one of: say"),
    ("say: yes", "say needs a text and is a flag", "quotes"),
    ("say:", "say is empty", "write a text"),
    ("say: {{subject}}", "needs a text and is a mapping", "quotes"),
    ("say: {text: x, chunk: 0}", "chunk is 0", "from 1"),
    ("say: {text: x, every_s: .inf}", "every_s needs a number", "such as 0.5"),
    ("say: {txt: x}", 'say has no key "txt"', 'did you mean "text"?'),
    ("tool: {arguments: {}}", 'tool lacks the key "name"', 'add "name:"'),
    ("tool: {name: x, success: 1}", "success needs true or false", "true or false"),
    ("tool: {name: x, arguments: {a: 1, a: 2}}", 'the key "a" is given twice', "remove one"),
    ("tool: {name: x, result: .nan}", "result is nan", "quotes"),
    ("tool: {name: x, result: !!int abc}", "not what its tag says", "remove the tag"),
    ("tool: {name: x, arguments: &a [*a]}", "nested too deeply", "alias"),
    ("edit: {path: x}", "edit does not say what to do", "exactly one of"),
    ("edit: {path: x, content: a, append: b}", "edit has content, append", "exactly one of"),
    ("edit: {path: x, replace: a}", "alone", "give both"),
    ("edit: {path: x, with: a, content: b}", "alone", "give both"),
    ("edit: {path: x, replace: '', with: a}", "empty text", "to be replaced"),
    ("edit: {path: x, delete: false}", "delete is false", "write true"),
    ("run: git status", "run needs a list", "[git, status]"),
    ("run: []", "run names no program", "first item"),
    ("run: {command: [x], timeout_s: 0}", "timeout_s is 0", "greater than 0"),
    ("delay_s: -1", "delay_s is -1", "0 or more"),
    ("delay_s: soon", 'delay_s needs a number and is "soon"', "such as 0.5"),
    ("wait_for: gate", "wait_for needs a mapping", "key: value"),
    ('say: "\\ud800"', "say holds half of a surrogate pair", "whole character"),
    ("verdict: advnce", 'verdict is "advnce"', 'did you mean "advance"?'),
    ("verdict: {reason: x}", 'lacks the key "verdict"', 'add "verdict:"'),
    ("verdict: {verdict: fail, risk: huge}", 'risk is "huge"', "low, medium, high"),
    ("verdict: {verdict: fail, confidence: 2}", "confidence is 2", "0 to 1"),
    ("verdict: {verdict: fail, evidence: x}", "evidence needs a list", '"- "'),
    ("verdict: {verdict: fail, reason: 1}", "reason needs a text", "quotes"),
    ("verdict: {raw: 1, verdict: fail}", "raw stands beside other keys", "remove the others"),
    ("usage: {input: -1}", "input is -1", "from 0"),
    ("usage: {inptu: 1}", 'no key "inptu"', 'did you mean "input"?'),
    ("error: {recoverable: true}", 'lacks the key "message"', 'add "message:"'),
    ("fail: zzz", 'fail is "zzz"', "error, exit, kill"),
    ("fail: {status: 1}", 'lacks the key "how"', 'add "how:"'),
    ("fail: {how: kill, status: 1}", 'fail has no key "status"', "write one of: how"),
    ("fail: {how: exit, status: 256}", "status is 256", "to 255"),
    ("fail: {how: error, code: 5}", "code is 5", "to -1"),
    ("ignore_cancel: false", "ignore_cancel is false", "remove the step"),
    ("once: {steps: [once: {steps: []}]}", "once inside once", "move the inner steps out"),
    ("once: {}", 'lacks the key "steps"', 'add "steps:"'),
]


@pytest.mark.parametrize(("source", "line", "what", "remedy"), MISTAKES)
def test_a_mistake_in_the_file_is_told_with_its_line(source: str, line: int, what: str, remedy: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script("m.yaml", source)
    place, _, rest = str(caught.value).partition(": ")
    assert place == f"m.yaml:{line}"
    assert what in rest.partition(" — ")[0]
    assert remedy in rest


@pytest.mark.parametrize(("step", "what", "remedy"), STEP_MISTAKES)
def test_a_mistake_in_a_step_is_told_with_its_line(step: str, what: str, remedy: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script("m.yaml", f"scripts:\n  - steps:\n      - say: fine\n      - {step}\n")
    place, _, rest = str(caught.value).partition(": ")
    assert place == "m.yaml:4"
    assert what in rest.partition(" — ")[0]
    assert remedy in rest.partition(" — ")[2]


async def test_a_mistake_in_resume_steps_is_found_before_anything_runs(project: Any) -> None:
    project.script("scripts:\n- steps: [edit: {path: x, content: y}]\n  resume:\n  - sai: x\n")
    with pytest.raises(ScriptError, match=r'mock\.yaml:4: a step has no key "sai"'):
        await project.run()
    assert not (project.root / "x").exists()


def test_a_script_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidParams, match=r"nope\.yaml: no such file — ANIMUS_MOCK_SCRIPT names it"):
        load_script(tmp_path, "nope.yaml")


def test_a_script_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"scripts: \xff")
    with pytest.raises(InvalidParams, match="not UTF-8 at byte 9"):
        load_script(tmp_path, "latin.yaml")
    with pytest.raises(InvalidParams, match="cannot be read"):
        load_script(tmp_path, ".")


@given(st.text(max_size=200))
def test_no_text_whatever_makes_the_reader_fail_in_another_way(source: str) -> None:
    assert _mistake_in(source).startswith("m.yaml:")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KINDS = sorted({kind.partition(":")[0] for kind, _, _ in STEP_MISTAKES if kind.partition(":")[0].islower()})


@given(st.sampled_from(_KINDS), _VALUES)
def test_no_value_of_any_step_makes_the_reader_fail_in_another_way(kind: str, value: object) -> None:
    source = yaml.safe_dump({"scripts": [{"steps": [{kind: value}]}]}, allow_unicode=True)
    assert _mistake_in(source).startswith("m.yaml:")


def _mistake_in(source: str) -> str:
    """The mistake's message; that of a script without any is taken as a place alone."""
    try:
        return parse_script("m.yaml", source).path + ":"
    except ScriptError as error:
        return str(error)
