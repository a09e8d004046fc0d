"""From definitions to the plan of one run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.errors import InvalidInput, UnknownName
from animus_core.workflow.definitions import (
    CwdMode,
    DecisionContract,
    Idempotency,
    PhaseMode,
    Risk,
    Transition,
    Verdict,
)
from animus_core.workflow.located import SourceFile
from animus_core.workflow.plan import (
    Plan,
    PlannedCommand,
    PlannedPhase,
    PlannedRetry,
    build_plan,
    providers_needed,
)

BASE = """\
agents: { default: { tool: mock } }
phases:
  build: { mode: agent, idempotency: idempotent }
  check: { mode: command, idempotency: idempotent, command: { program: make } }
  review: { mode: agent, idempotency: idempotent }
"""


def plan_of(load, rest: str, ref: str = "w", **variables: str) -> Plan:
    return build_plan(load(BASE + "workflows:\n" + rest), ref, variables)


def test_defaults_are_those_of_the_authored_form(load):
    plan = plan_of(load, "  - id: w\n    phases: [build, check]\n")
    assert plan.phases == (
        PlannedPhase(
            id="build", mode=PhaseMode.AGENT, agent="default", tool="mock", idempotency=Idempotency.IDEMPOTENT
        ),
        PlannedPhase(
            id="check",
            mode=PhaseMode.COMMAND,
            idempotency=Idempotency.IDEMPOTENT,
            command=PlannedCommand(program="make"),
        ),
    )
    assert (plan.v, plan.workflow_ref, plan.name, plan.variables) == (1, "w", "w", {})
    first, second = plan.phases
    assert first.max_rework_attempts == 3
    assert first.retry == PlannedRetry(max_attempts=1, initial_s=0, factor=1, max_s=None)
    contract = DecisionContract(min_confidence=0.6, max_risk=Risk.MEDIUM, allow_missing_decision=True)
    assert first.decision_contract == contract
    assert second.command is not None
    assert second.command.cwd_mode is CwdMode.TASK_ROOT
    assert second.command.success_exit_codes == (0,)
    assert (second.command.on_success_verdict, second.command.on_failure_verdict) == (Verdict.ADVANCE, Verdict.FAIL)


def test_every_setting_of_a_phase_reaches_the_plan(load):
    workflows = load(
        """\
agents: { a: { tool: mock, model: m, timeout_secs: 60, system_prompt: Be careful. } }
phases:
  p:
    mode: agent
    agent_id: A
    directive: Do {{goal}}.
    idempotency: sideeffecting
    retry: { backoff: { initial_secs: 5, factor: 2, max_secs: 60 } }
    decision_contract: { required_evidence: [files_modified], min_confidence: 0.7, max_risk: low,
                         allow_missing_decision: false }
  c:
    mode: command
    idempotency: idempotent
    command: { program: make, args: [-j, "4"], env: { A: b }, cwd_mode: path, cwd_path: sub, timeout_secs: 9,
               success_exit_codes: [0, 3], on_success_verdict: skip, on_failure_verdict: rework,
               excerpt_max_chars: 100, category: tests }
workflows:
  - id: w
    name: W
    phases:
      - P: { max_rework_attempts: 1 }
      - id: c
        on_verdict:
          rework: { target: p, allow_agent_target: true, allowed_targets: [C] }
          fail: { target: "" }
"""
    )
    plan = build_plan(workflows, "W", {})
    assert plan.name == "W"
    assert plan.phases == (
        PlannedPhase(
            id="p",
            mode=PhaseMode.AGENT,
            directive="Do {{goal}}.",
            system_prompt="Be careful.",
            agent="a",
            tool="mock",
            model="m",
            timeout_s=60,
            idempotency=Idempotency.SIDEEFFECTING,
            max_rework_attempts=1,
            retry=PlannedRetry(max_attempts=3, initial_s=5, factor=2, max_s=60),
            decision_contract=DecisionContract(
                required_evidence=("files_modified",),
                min_confidence=0.7,
                max_risk=Risk.LOW,
                allow_missing_decision=False,
            ),
        ),
        PlannedPhase(
            id="c",
            mode=PhaseMode.COMMAND,
            timeout_s=9,
            idempotency=Idempotency.IDEMPOTENT,
            on_verdict={
                Verdict.REWORK: Transition(target="p", allow_agent_target=True, allowed_targets=("c",)),
                Verdict.FAIL: Transition(target=""),
            },
            command=PlannedCommand(
                program="make",
                args=("-j", "4"),
                env={"A": "b"},
                cwd_mode=CwdMode.PATH,
                cwd_path="sub",
                success_exit_codes=(0, 3),
                on_success_verdict=Verdict.SKIP,
                on_failure_verdict=Verdict.REWORK,
                excerpt_max_chars=100,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("phase", "agent", "tool", "model"),
    [
        ("runtime: { tool: x, model: y }", "tool: mock, model: m", "x", "y"),
        ("runtime: { tool: x }", "tool: mock, model: m", "x", "m"),
        ("runtime: { model: y }", "tool: mock, model: m", "mock", "y"),
        ("runtime: { model: Strong }", "tool: mock, model: m", "claude", "opus"),
        ("runtime: { model: strong, tool: x }", "tool: mock, model: m", "x", "opus"),
        ("default_tool: d", "model: m", "d", "m"),
        ("default_tool: d", "tool: mock", "mock", None),
        ("name: p", "models: [strong]", "claude", "opus"),
        ("name: p", "model: strong", "claude", "opus"),
        ("name: p", "models: [strong], tool: mock", "mock", "opus"),
        ("default_tool: d", "models: [bare]", "d", "bare-1"),
    ],
)
def test_tool_and_model_come_from_the_phase_then_the_agent_then_the_default(load, phase, agent, tool, model):
    workflows = load(
        "models:\n  strong: { model: opus, tool: claude }\n  bare: { model: bare-1 }\n"
        f"agents:\n  default: {{ {agent} }}\nphases:\n  p: {{ mode: agent, {phase} }}\n"
        "workflows:\n  - id: w\n    phases: [p]\n"
    )
    [planned] = build_plan(workflows, "w", {}).phases
    assert (planned.tool, planned.model) == (tool, model)


@pytest.mark.parametrize(
    ("phase", "agent", "timeout_s", "attempts"),
    [
        ("runtime: { timeout_secs: 5, max_attempts: 2 }", "timeout_secs: 7, max_attempts: 4", 5, 2),
        ("name: p", "timeout_secs: 7, max_attempts: 4", 7, 4),
        ("name: p", "name: a", None, 1),
        ("retry: {}", "max_attempts: 4", None, 3),
        ("retry: { max_attempts: 5 }, runtime: { max_attempts: 2 }", "name: a", None, 5),
    ],
)
def test_timeout_and_attempts_come_from_the_phase_then_the_agent(load, phase, agent, timeout_s, attempts):
    workflows = load(
        f"agents:\n  default: {{ tool: mock, {agent} }}\nphases:\n  p: {{ mode: agent, {phase} }}\n"
        "workflows:\n  - id: w\n    phases: [p]\n"
    )
    [planned] = build_plan(workflows, "w", {}).phases
    assert (planned.timeout_s, planned.retry.max_attempts) == (timeout_s, attempts)


def test_the_prompt_of_the_phase_goes_before_that_of_the_agent_and_a_file_counts_as_the_agents(load):
    workflows = load(
        {
            "workflows.yaml": "agents:\n  default: { tool: mock, system_prompt_file: p.md }\n"
            "phases:\n  a: { mode: agent, system_prompt: mine }\n  b: { mode: agent }\n"
            "workflows:\n  - id: w\n    phases: [a, b]\n",
            "p.md": "theirs",
        }
    )
    assert [phase.system_prompt for phase in build_plan(workflows, "w", {}).phases] == ["mine", "theirs"]


def test_a_phase_that_is_not_defined_is_the_phase_default(load):
    workflows = load(
        "phases:\n  Default: { mode: agent, directive: x, runtime: { tool: mock } }\n"
        "workflows:\n  - id: w\n    phases:\n      - anything\n"
        "      - other: { on_verdict: { rework: { target: anything } } }\n"
    )
    plan = build_plan(workflows, "w", {})
    assert [(phase.id, phase.directive) for phase in plan.phases] == [("anything", "x"), ("other", "x")]
    assert plan.phases[1].on_verdict[Verdict.REWORK].target == "anything"


def test_sub_workflows_stand_inline_and_later_ids_are_told_apart(load):
    plan = plan_of(
        load,
        "  - id: verify\n    phases: [check, review]\n"
        "  - id: outer\n    phases: [build, { workflow_ref: VERIFY }]\n"
        "  - id: w\n    phases: [check, { workflow_ref: verify }, build, { workflow_ref: outer }, Check, check]\n",
    )
    assert [phase.id for phase in plan.phases] == [
        "check",
        "verify/check",
        "review",
        "build",
        "outer/build",
        "verify/check#2",
        "verify/review",
        "check#2",
        "check#3",
    ]


def test_a_transition_stays_inside_the_workflow_that_wrote_it(load):
    plan = plan_of(
        load,
        "  - id: inner\n    phases:\n      - build\n      - check: { on_verdict: { rework: { target: build } } }\n"
        "  - id: w\n    phases:\n      - build\n      - workflow_ref: inner\n      - workflow_ref: inner\n"
        "      - review: { on_verdict: { rework: { target: check }, fail: { target: '' }, skip: { target: build } } }\n"
        "      - build\n",
    )
    ids = {phase.id: phase for phase in plan.phases}
    assert list(ids) == ["build", "inner/build", "check", "inner/build#2", "inner/check", "review", "build#2"]
    assert ids["check"].on_verdict[Verdict.REWORK].target == "inner/build"
    assert ids["inner/check"].on_verdict[Verdict.REWORK].target == "inner/build#2"
    assert ids["review"].on_verdict[Verdict.REWORK].target == "inner/check"
    assert ids["review"].on_verdict[Verdict.SKIP].target == "inner/build#2"
    assert ids["review"].on_verdict[Verdict.FAIL].target == ""


def test_a_transition_goes_forward_when_the_phase_comes_only_later(load):
    plan = plan_of(
        load,
        "  - id: w\n    phases:\n      - build: { on_verdict: { skip: { target: review } } }\n"
        "      - check\n      - review\n",
    )
    assert plan.phases[0].on_verdict[Verdict.SKIP].target == "review"


def test_an_inner_workflow_cannot_lead_to_a_phase_of_the_outer_one(mistakes):
    text = BASE + (
        "workflows:\n  - id: inner\n    phases:\n      - check: { on_verdict: { rework: { target: build } } }\n"
        "  - id: w\n    phases: [build, { workflow_ref: inner }]\n"
    )
    assert mistakes(text) == [
        "workflows.yaml:9: `on_verdict.rework` leads to `build`, which is not a phase of `inner` — name one of check"
    ]


VARIABLES = """\
  - id: inner
    phases: [check]
    variables:
      - { name: depth, required: true }
      - { name: branch, default: inner }
  - id: w
    phases: [build, { workflow_ref: inner }]
    variables:
      - { name: goal, required: true }
      - { name: branch, default: main, required: true }
      - { name: note }
"""


def test_a_variable_takes_the_value_then_the_default(load):
    plan = plan_of(load, VARIABLES, goal="g", depth="d", extra="kept")
    assert plan.variables == {"goal": "g", "depth": "d", "branch": "main", "extra": "kept"}
    assert plan_of(load, VARIABLES, goal="", depth="d", branch="dev").variables["branch"] == "dev"


def test_all_missing_variables_are_told_at_once_with_the_place_of_the_workflow(load):
    with pytest.raises(InvalidInput) as raised:
        plan_of(load, VARIABLES)
    assert raised.value.message == ".animus/workflows.yaml:12: the workflow `w` needs values for `goal`, `depth`"
    assert raised.value.hint == "give each a value (`--var NAME=VALUE`), or a `default`"
    assert raised.value.details == {"missing": ["goal", "depth"]}


def test_a_value_that_is_no_text_is_refused(load):
    with pytest.raises(InvalidInput, match="the variable `goal` is not valid Unicode text"):
        plan_of(load, VARIABLES, goal="\udcff", depth="d")


def test_an_unknown_workflow_is_not_found_and_the_nearest_is_named(load):
    workflows = load(BASE + "workflows:\n  - id: deliver\n    phases: [build]\n")
    with pytest.raises(UnknownName) as raised:
        build_plan(workflows, "delivr", {})
    assert raised.value.message == "there is no workflow `delivr`"
    assert raised.value.hint == "did you mean `deliver`?"


def test_the_providers_are_the_tools_of_the_agent_phases(load):
    workflows = load(
        BASE + "  other: { mode: agent, runtime: { tool: claude } }\nworkflows:\n"
        "  - id: w\n    phases: [build, check, other]\n  - id: c\n    phases: [check]\n"
    )
    assert providers_needed(build_plan(workflows, "w", {})) == {"mock", "claude"}
    assert providers_needed(build_plan(workflows, "c", {})) == frozenset()


def test_a_plan_cannot_be_changed(load):
    plan = plan_of(load, "  - id: w\n    phases: [build]\n")
    with pytest.raises(ValueError, match="frozen"):
        plan.name = "other"


def test_reading_a_plan_does_not_load_the_yaml_parser():
    code = "import sys, animus_core.workflow.plan; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "False\n"


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,8}", fullmatch=True)
TRANSITIONS = st.builds(
    Transition, target=TEXT, allow_agent_target=st.booleans(), allowed_targets=st.lists(IDS, max_size=2).map(tuple)
)
COMMANDS = st.builds(
    PlannedCommand,
    program=TEXT,
    args=st.lists(TEXT, max_size=3).map(tuple),
    env=st.dictionaries(TEXT, TEXT, max_size=2),
    cwd_mode=st.sampled_from(CwdMode),
    success_exit_codes=st.lists(st.integers(0, 255), max_size=3).map(tuple),
    on_failure_verdict=st.sampled_from(Verdict),
)
RETRIES = st.builds(
    PlannedRetry,
    max_attempts=st.integers(1, 10),
    initial_s=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    max_s=st.none() | st.floats(0, 1e6),
)
PHASES = st.builds(
    PlannedPhase,
    id=TEXT,
    mode=st.sampled_from(PhaseMode),
    directive=TEXT,
    system_prompt=st.none() | TEXT,
    agent=st.none() | TEXT,
    tool=st.none() | TEXT,
    model=st.none() | TEXT,
    timeout_s=st.none() | st.integers(1, 10**6),
    idempotency=st.sampled_from(Idempotency),
    on_verdict=st.dictionaries(st.sampled_from(Verdict), TRANSITIONS, max_size=4),
    retry=RETRIES,
    decision_contract=st.builds(DecisionContract, min_confidence=st.floats(0, 1), max_risk=st.sampled_from(Risk)),
    command=st.none() | COMMANDS,
)
PLANS = st.builds(
    Plan,
    workflow_ref=TEXT,
    name=TEXT,
    phases=st.lists(PHASES, min_size=1, max_size=3).map(tuple),
    variables=st.dictionaries(TEXT, TEXT, max_size=3),
    sources=st.lists(st.builds(SourceFile, path=TEXT, sha256=TEXT), max_size=2).map(tuple),
)


@settings(deadline=None)
@given(PLANS)
def test_a_plan_goes_to_json_and_comes_back_the_same(plan):
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
