"""Several files make one set of definitions."""

from __future__ import annotations

import os

import pytest

from animus_core.workflow.definitions import DaemonBlock, WorkflowSet
from animus_core.workflow.issues import InvalidWorkflow, Severity
from animus_core.workflow.load import load_workflows

PHASE = "{ mode: agent, idempotency: idempotent, runtime: { tool: mock } }"


def test_no_file_at_all_is_an_empty_set(tmp_path):
    assert load_workflows(tmp_path, {}) == WorkflowSet()


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "\ufeff", "workflows:\nphases:\n", "{}"])
def test_a_file_that_defines_nothing_is_an_empty_set(load, text):
    workflows = load(text)
    assert not workflows.workflows
    assert [source.path for source in workflows.sources] == [".animus/workflows.yaml"]


def test_definitions_of_one_file_are_used_by_another(load):
    workflows = load(
        {
            "workflows.yaml": "default_workflow_ref: ship\n",
            "workflows/b.yaml": f"phases: {{ build: {PHASE} }}\n",
            "workflows/a.yaml": "workflows:\n  - id: ship\n    phases: [build]\n",
        }
    )
    assert workflows.default_workflow_ref == "ship"
    assert [source.path for source in workflows.sources] == [
        ".animus/workflows.yaml",
        ".animus/workflows/a.yaml",
        ".animus/workflows/b.yaml",
    ]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        (f"phases:\n  ship: {PHASE}\n", "phase"),
        ("agents:\n  ship: { tool: mock }\n", "agent"),
        ("models:\n  ship: { model: m }\n", "model"),
        ("workflows:\n  - id: ship\n    phases: [p]\n", "workflow"),
    ],
)
def test_the_same_id_in_two_files_names_both_places(mistakes, section, kind):
    other = section.replace("ship", "Ship")
    base = f"phases:\n  p: {PHASE}\n"
    [line] = mistakes({"workflows.yaml": base, "workflows/a.yaml": section, "workflows/b.yaml": other})
    expected = f"the {kind} `Ship` is defined twice, first at .animus/workflows/a.yaml:2 — keep one, or rename one"
    assert line == f"workflows/b.yaml:2: {expected}"


def test_two_different_default_workflows_are_a_mistake(mistakes):
    text = f"default_workflow_ref: a\nphases:\n  p: {PHASE}\nworkflows:\n  - {{ id: a, phases: [p] }}\n"
    assert mistakes({"workflows.yaml": text, "workflows/x.yaml": "default_workflow_ref: b\n"}) == [
        "workflows/x.yaml:1: `default_workflow_ref` is given twice, first at .animus/workflows.yaml:1 — keep one"
    ]


def test_daemon_blocks_merge_field_by_field_and_the_later_file_wins(load):
    workflows = load(
        {
            "workflows.yaml": "daemon: { interval_secs: 5 }\n",
            "workflows/a.yaml": "daemon: { interval_secs: 9, max_agents: 2 }\n",
            "workflows/b.yaml": "daemon: { pool_size: 3 }\n",
        }
    )
    assert workflows.daemon == DaemonBlock(interval_secs=9, pool_size=3)


def test_files_with_the_other_suffix_are_not_passed_over_in_silence(load):
    workflows = load(
        {"workflows.yml": "x", "workflows/a.yml": "x", "workflows/.hidden.yaml": "{", "workflows/b.txt": "{"}
    )
    assert [str(warning) for warning in workflows.warnings] == [
        ".animus/workflows.yml:1: is not read — rename it to `.yaml`",
        ".animus/workflows/a.yml:1: is not read — rename it to `.yaml`",
    ]


def test_descriptive_keys_are_accepted(load):
    load(
        "name: n\ndescription: d\nphase_catalog: { p: { label: P, icon: x, tags: [a] } }\n"
        "agents:\n  default: { name: n, description: d, role: r, tool: mock }\n"
        "phases:\n  p: { mode: agent, description: d, worktree: skip, idempotency: idempotent }\n"
        "models:\n  m: { model: x, description: d }\n"
        "workflows:\n  - { id: w, name: n, description: d, worktree: { mode: skip, cleanup: true },"
        " phases: [{ p: { worktree: false } }] }\n"
    )


def test_an_explicit_null_is_an_absent_key(load):
    workflows = load(
        "phases:\n  p: { mode: agent, agent: null, retry: , runtime: { tool: mock } }\n"
        "workflows:\n  - id: w\n    name:\n    variables:\n    phases:\n      - p:\n"
    )
    assert workflows.workflows["w"].value.variables == ()


def test_a_prompt_file_is_read_and_counts_as_a_source(load):
    workflows = load(
        {
            "workflows.yaml": "agents:\n  Reviewer: { tool: mock, system_prompt_file: prompts/r.md }\n",
            "prompts/r.md": "Be kind.\n",
        }
    )
    assert workflows.prompts == {"reviewer": "Be kind.\n"}
    assert workflows.sources[-1].path == ".animus/prompts/r.md"


def test_a_prompt_file_that_a_link_leads_out_of_the_folder_is_refused(tmp_path, load, mistakes):
    (tmp_path / ".animus").mkdir()
    (tmp_path / "outside.md").write_text("x")
    (tmp_path / ".animus" / "p.md").symlink_to(tmp_path / "outside.md")
    [line] = mistakes("agents:\n  a: { tool: mock, system_prompt_file: p.md }\n")
    assert "lies outside `.animus/`" in line


@pytest.mark.parametrize("name", ["tasks/p.md", "prompts/../requirements/p.md", "linked.md"])
def test_a_prompt_file_among_the_data_that_trust_does_not_cover_is_refused(tmp_path, load, mistakes, name):
    for folder in ("tasks", "requirements", "prompts"):
        (tmp_path / ".animus" / folder).mkdir(parents=True)
        (tmp_path / ".animus" / folder / "p.md").write_text("x")
    (tmp_path / ".animus" / "linked.md").symlink_to("tasks/p.md")
    [line] = mistakes(f"agents:\n  a: {{ tool: mock, system_prompt_file: {name} }}\n")
    assert "lies in a folder of data, which trust does not cover" in line


def test_the_mistakes_are_there_for_programs_too(load):
    with pytest.raises(InvalidWorkflow) as raised:
        load("phases:\n  p: {}\n")
    [issue] = raised.value.issues
    assert (issue.line, issue.column, issue.severity) == (2, 3, Severity.ERROR)
    assert raised.value.details == [
        {
            "file": ".animus/workflows.yaml",
            "line": 2,
            "column": 3,
            "message": "`mode` is missing",
            "hint": "add `mode` here",
            "severity": "error",
        }
    ]
    assert raised.value.exit_code == 2


def test_unknown_idempotency_is_a_warning(load):
    workflows = load("phases:\n  a: { mode: agent, runtime: { tool: mock } }\n")
    assert [str(warning) for warning in workflows.warnings] == [
        ".animus/workflows.yaml:2: `a`: a crash in the middle blocks the run, because `idempotency` is unknown — "
        "declare `idempotency: idempotent` or `idempotency: sideeffecting`"
    ]


def test_a_key_without_effect_in_a_command_phase_is_a_warning(load):
    text = (
        "phases:\n  c:\n    mode: command\n    idempotency: idempotent\n    directive: x\n    command: { program: a }\n"
    )
    [warning] = load(text).warnings
    assert str(warning) == ".animus/workflows.yaml:5: `c`: `directive` has no effect in a command phase — remove it"


def test_a_circle_that_nothing_bounds_is_a_warning(load):
    text = f"phases:\n  a: {PHASE}\n  b: {PHASE}\nworkflows:\n  - id: w\n    phases:\n      - a\n"
    text += "      - b: { on_verdict: { advance: { target: A }, rework: { target: a } } }\n"
    [warning] = load(text).warnings
    assert str(warning) == (
        ".animus/workflows.yaml:8: `on_verdict.advance` leads back to `A` without a bound — "
        "go back with `rework`, which `max_rework_attempts` bounds"
    )


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    (tmp_path / ".animus" / "workflows.yaml").mkdir(parents=True)
    with pytest.raises(InvalidWorkflow, match="is not a regular file — put a text file there, or remove it"):
        load_workflows(tmp_path, {})


def test_a_pipe_in_place_of_the_file_does_not_hang(tmp_path):
    (tmp_path / ".animus").mkdir()
    os.mkfifo(tmp_path / ".animus" / "workflows.yaml")
    with pytest.raises(InvalidWorkflow, match="is not a regular file"):
        load_workflows(tmp_path, {})


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / ".animus").mkdir()
    (tmp_path / ".animus" / "workflows.yaml").symlink_to("nowhere")
    with pytest.raises(InvalidWorkflow, match="cannot be read: No such file or directory"):
        load_workflows(tmp_path, {})


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / ".animus").mkdir()
    (tmp_path / ".animus" / "workflows").write_text("")
    with pytest.raises(InvalidWorkflow, match=r"\.animus/workflows:1: cannot be listed: Not a directory"):
        load_workflows(tmp_path, {})
