"""Whatever stands in a workflow file: a clear refusal, soon, and never another error."""

from __future__ import annotations

import copy
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from animus_core.workflow.definitions import WorkflowSet
from animus_core.workflow.issues import InvalidWorkflow
from animus_core.workflow.load import load_workflows
from animus_core.workflow.plan import build_plan
from written_values import Writer

LIMIT_S = 20.0


def load_bytes(raw: bytes) -> WorkflowSet | InvalidWorkflow:
    with tempfile.TemporaryDirectory() as folder:
        animus = Path(folder) / ".animus"
        animus.mkdir()
        (animus / "workflows.yaml").write_bytes(raw)
        try:
            return load_workflows(Path(folder), {})
        except InvalidWorkflow as error:
            error.message.encode()
            return error


def nested(width: int, depth: int) -> str:
    lines = ["a0: &a0 [1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


HOSTILE = {
    "deep lists": ("[" * 500_000, "nested deeper than 50 levels"),
    "deep mappings": ("{" * 500_000, "nested deeper than 50 levels"),
    "deep dashes": ("- " * 500_000, "nested deeper than 50 levels"),
    "deep questions": ("? " * 500_000, "nested deeper than 50 levels"),
    "many values": ("a: [" + "1," * 400_000 + "]", "more than 50000 values"),
    "alias bomb": (nested(10, 10), "aliases make this document too large"),
    "alias of itself": ("phases: &a [*a]", "aliases make this document too large"),
    "larger than 1 MiB": ("#" * (1 << 20) + "\n", "is larger than 1048576 bytes"),
    "many unknown keys": ("".join(f"k{n}: v\n" for n in range(24_000)), "unknown key `k0`"),
    "many broken phases": ("phases:\n" + "".join(f"  p{n}: {{}}\n" for n in range(20_000)), "`mode` is missing"),
    "many unknown agents": (
        "phases:\n" + "".join(f"  p{n}: {{mode: agent, agent: x{n}}}\n" for n in range(8_000)),
        "unknown agent `x0`",
    ),
    "many broken variables": (
        "workflows:\n - {id: a, phases: [x], variables: [" + "{required: 1}," * 10_000 + "]}\n",
        "`variables[0].name` is missing",
    ),
    "workflows that double": (
        "phases: {p: {mode: agent, runtime: {tool: mock}}}\nworkflows:\n - {id: w40, phases: [p]}\n"
        + "".join(
            f" - {{id: w{n}, phases: [{{workflow_ref: w{n + 1}}}, {{workflow_ref: w{n + 1}}}]}}\n" for n in range(40)
        ),
        "comes to more than 500 phases",
    ),
    "a long chain of workflows": (
        "phases: {p: {mode: agent, runtime: {tool: mock}}}\nworkflows:\n - {id: w4000, phases: [p]}\n"
        + "".join(f" - {{id: w{n}, phases: [{{workflow_ref: w{n + 1}}}]}}\n" for n in range(4000)),
        "nests sub-workflows deeper than 20 levels",
    ),
    "a long circle of workflows": (
        "workflows:\n"
        + "".join(f" - {{id: w{n}, phases: [{{workflow_ref: w{(n + 1) % 3000}}}]}}\n" for n in range(3000)),
        "circular sub-workflow reference",
    ),
    "NUL": ("name: a\0b\n", "the character U+0000 is not allowed in YAML"),
    "half of a pair": ('name: "\\ud800"\n', "cannot be stored"),
    "no such character": ('name: "\\UFFFFFFFF"\n', "a number that no character or version has"),
    "huge number": ("name: " + "9" * 5000, "cannot be read as a number"),
    "huge version": ("%YAML " + "9" * 5000 + ".1\n---\na: 1\n", "a number that no character or version has"),
    "not a number after all": ("daemon: { interval_secs: !!int x }\n", "cannot be read as a number"),
    "not a boolean after all": ("default_workflow_ref: !!bool x\n", "cannot be read as true or false"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_file_is_refused_within_seconds(text, expected):
    started = time.monotonic()
    outcome = load_bytes(text.encode())
    assert isinstance(outcome, InvalidWorkflow)
    assert expected in outcome.message
    assert time.monotonic() - started < LIMIT_S


def test_a_mebibyte_of_harmless_text_is_read():
    text = "description: |\n" + ("  " + "x" * 77 + "\n") * 13_000
    assert 1_000_000 < len(text) <= 1 << 20
    assert isinstance(load_bytes(text.encode()), WorkflowSet)


def test_bytes_that_are_not_utf8_are_told_with_their_line():
    outcome = load_bytes(b"name: a\ndescription: \xff\n")
    assert isinstance(outcome, InvalidWorkflow)
    assert outcome.message == ".animus/workflows.yaml:2: is not UTF-8 text — save it as UTF-8"


def test_aliases_in_reason_are_fine():
    text = "agents:\n  a: &shared { tool: mock }\n  b: *shared\n"
    outcome = load_bytes(text.encode())
    assert isinstance(outcome, WorkflowSet)
    assert outcome.agents["b"].value.tool == "mock"


KEYWORDS = [
    "default_workflow_ref",
    "workflows",
    "phases",
    "agents",
    "models",
    "daemon",
    "id",
    "name",
    "mode",
    "agent",
    "command",
    "program",
    "args",
    "env",
    "manual",
    "on_verdict",
    "rework",
    "advance",
    "target",
    "workflow_ref",
    "runtime",
    "tool",
    "model",
    "models",
    "retry",
    "backoff",
    "variables",
    "required",
    "default",
    "max_rework_attempts",
    "timeout_secs",
    "system_prompt_file",
    "worktree",
    "skip",
    "allowed_targets",
    "decision_contract",
    "a",
    "b",
    "yes",
    "~",
    "1",
    "0x",
]
SOUP = st.lists(
    st.sampled_from([*KEYWORDS, *KEYWORDS, "\n", "\n  ", "\n    ", "- ", ": ", ", ", "{", "}", "[", "]", "&a ", "*a"]),
    max_size=60,
).map("".join)

SECTIONS = ("phases", "agents", "models", "daemon", "default_workflow_ref", "workflows")
SCALARS = (None, True, False, 0, 1, -1, 2**31, 2**63, -(2**64), 10**30, 0.5, -0.0, 1e308, 5e-324, float("inf"))
GOOD = {
    "phases": {
        "a": {
            "mode": "agent",
            "agent": "a",
            "runtime": {"model": "b"},
            "retry": {"max_attempts": 2, "backoff": {"initial_secs": 1}},
        },
        "b": {"mode": "command", "command": {"program": "true", "args": ["b"], "env": {}}},
    },
    "agents": {"a": {"tool": "mock", "model": "b"}},
    "models": {"b": {"model": "b", "tool": "mock"}},
    "daemon": {},
    "default_workflow_ref": "a",
    "workflows": [
        {"id": "a", "phases": ["a", {"b": {"on_verdict": {"rework": {"target": "a"}}, "max_rework_attempts": 2}}]},
        {"id": "b", "phases": [{"workflow_ref": "a"}], "variables": [{"name": "name", "default": "1"}]},
    ],
}


class FileWriter(Writer):
    """Writes what may stand in a workflow file."""

    def value(self, deep: int = 5) -> Any:
        match self.pick("ttttsslmm" if deep else "ts"):
            case "t":
                return self.pick(KEYWORDS)
            case "s":
                return self.pick(SCALARS)
            case "l":
                return self.many(lambda: self.value(deep - 1), 4)
        return dict(self.many(lambda: (self.pick(KEYWORDS), self.value(deep - 1)), 6))

    def anything(self) -> dict[str, Any]:
        """Any values under the known keys."""
        workflows = self.many(self.value, 3)
        chosen = {key: self.value() for key in SECTIONS if self.pick((True, True, False))}
        return chosen | ({"workflows": workflows} if self.flag() else {})

    def nearly_good(self) -> dict[str, Any]:
        """What is good, with other values in some places."""
        document = copy.deepcopy(GOOD)
        for _ in range(self.below(4)):
            here: Any = document
            while True:
                keys = list(here) if isinstance(here, dict) else range(len(here))
                key = self.pick([*keys, self.pick(KEYWORDS)] if isinstance(here, dict) else keys)
                inside = here.get(key) if isinstance(here, dict) else here[key]
                if not isinstance(inside, dict | list) or not inside or self.pick((True, False, False)):
                    here[key] = self.value(2)
                    break
                here = inside
        return document


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b"%TAG ! tag:x,%FF\n---\n")
def test_any_bytes_load_or_are_refused(raw):
    load_bytes(raw)


@settings(deadline=None)
@given(st.text(max_size=400))
@example('"\\x')
@example("a: 1:60:1_")
@example("a: [.inf, .nan, 1e999, 0b, 0x, 0_, 190:20:30.15]")
def test_any_text_loads_or_is_refused(text):
    load_bytes(text.encode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_any_soup_of_keywords_loads_or_is_refused(text):
    load_bytes(text.encode())


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=150, max_size=150), st.booleans())
def test_any_values_under_the_known_keys_load_and_plan_or_are_refused(raw, nearly_good):
    writer = FileWriter(raw)
    document = writer.nearly_good() if nearly_good else writer.anything()
    outcome = load_bytes(yaml.dump(document, Dumper=yaml.CSafeDumper).encode())
    if isinstance(outcome, WorkflowSet):
        for ref in outcome.workflows:
            build_plan(outcome, ref, {"id": "x", "name": "y", "a": "z", "b": "z"} | dict.fromkeys(KEYWORDS, "v"))


def test_a_good_file_is_loaded_and_planned():
    outcome = load_bytes(yaml.dump(GOOD, Dumper=yaml.CSafeDumper).encode())
    assert isinstance(outcome, WorkflowSet), outcome
    assert [len(build_plan(outcome, ref, dict.fromkeys(KEYWORDS, "v")).phases) for ref in outcome.workflows] == [2, 2]
