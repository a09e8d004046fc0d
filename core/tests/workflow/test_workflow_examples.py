"""The examples that people start from."""

from __future__ import annotations

from animus_core.workflow.definitions import PhaseMode
from animus_core.workflow.plan import build_plan, providers_needed
from animus_core.workflow.scaffold import starter_workflows
from animus_protocol.models.verdict import Verdict

MINIMAL = """\
default_workflow_ref: ship
agents:
  default: { tool: mock, model: mock-1 }
phases:
  build: { mode: agent, agent: default, directive: "Do the work described by the subject." }
  check:
    mode: command
    idempotency: idempotent
    command: { program: python, args: ["-m", "pytest", "-q"], timeout_secs: 300 }
workflows:
  - id: ship
    name: Ship
    phases: [build, check]
"""

FULL = """\
default_workflow_ref: release
secrets:
  board_token: { env: BOARD_TOKEN, required: false }
models:
  large: { model: claude-opus-4, tool: claude }
  small: { model: mock-1, tool: mock }
mcp_servers:
  animus: { command: animus, args: [mcp, serve] }
  board:
    transport: http
    url: "${BOARD_URL:-http://127.0.0.1:9000/mcp}"
agents:
  writer:
    description: Writes code
    system_prompt: You make small changes and run the tests.
    models: [large, small]
    mcp_servers: [animus]
    tool_policy: { allow: ["animus.*"] }
    timeout_secs: 1800
  reader: { system_prompt_file: prompts/reader.md, model: mock-1, tool: mock }
agent_channels:
  all: { participants: [writer, reader] }
phase_catalog:
  write: { label: Write, tags: [code] }
phases:
  write:
    mode: agent
    agent: writer
    directive: "Write {{goal}} on {{branch}}."
    idempotency: sideeffecting
    retry: { max_attempts: 2, backoff: { initial_secs: 5, factor: 2.0, max_secs: 60 } }
    decision_contract: { required_evidence: [files_modified], min_confidence: 0.7 }
  tests:
    mode: command
    idempotency: idempotent
    command:
      program: python
      args: ["-m", "pytest", "-q"]
      on_failure_verdict: rework
      failure_risk: low
  read: { mode: agent, agent: reader, idempotency: idempotent, worktree: skip }
  sign-off:
    mode: manual
    manual: { instructions: "Look at the demo.", timeout_secs: 86400 }
workflows:
  - id: verify
    phases: [tests]
  - id: release
    variables:
      - { name: goal, required: true }
      - { name: branch, default: main }
    worktree: { mode: required, cleanup: true, base_ref: main }
    budget: { max_tokens: 500000, on_exceed: pause }
    phases:
      - write
      - workflow_ref: verify
      - read:
          max_rework_attempts: 2
          skip_if: ["task.type == 'docs'"]
          on_verdict:
            rework: { target: write }
            fail: { target: "" }
      - sign-off
    post_success:
      merge: { strategy: squash, create_pr: true }
schedules:
  - { id: nightly, cron: "0 2 * * *", workflow_ref: verify }
triggers:
  - { id: chat, type: plugin, workflow_ref: release }
daemon:
  active_hours: "08:00-20:00"
"""


def test_the_minimal_example_loads_and_plans(load):
    workflows = load(MINIMAL)
    plan = build_plan(workflows, workflows.default_workflow_ref or "", {})
    assert [(phase.id, phase.tool, phase.timeout_s) for phase in plan.phases] == [
        ("build", "mock", None),
        ("check", None, 300),
    ]
    assert [warning.line for warning in workflows.warnings] == [5]


def test_the_full_example_is_refused_key_by_key(mistakes):
    assert mistakes({"workflows.yaml": FULL, "prompts/reader.md": "Read."}) == [
        "workflows.yaml:2: `secrets` is not supported yet — remove it",
        "workflows.yaml:7: `mcp_servers` is not supported yet — remove it",
        "workflows.yaml:16: `models`: fallback models are not supported yet — keep one name",
        "workflows.yaml:17: `mcp_servers` is not supported yet — remove it",
        "workflows.yaml:18: `tool_policy` is not supported yet — remove it",
        "workflows.yaml:21: `agent_channels` is not supported yet — remove it",
        "workflows.yaml:40: `failure_risk` is not supported yet — remove it",
        "workflows.yaml:43: `sign-off`: mode `manual` is not supported yet — "
        "remove the phase, or make it an `agent` or a `command` phase",
        "workflows.yaml:44: `manual` is not supported yet — remove it",
        "workflows.yaml:52: `worktree`: worktrees are not supported yet — write `skip`, or remove it",
        "workflows.yaml:53: `budget` is not supported yet — remove it",
        "workflows.yaml:59: `skip_if` is not supported yet — remove it",
        "workflows.yaml:64: `post_success` is not supported yet — remove it",
        "workflows.yaml:66: `schedules` is not supported yet — remove it",
        "workflows.yaml:68: `triggers` is not supported yet — remove it",
        "workflows.yaml:71: `active_hours` is not supported yet — remove it",
    ]


def test_what_a_new_project_gets_loads_without_a_warning_and_plans(load):
    workflows = load(starter_workflows())
    assert workflows.warnings == ()
    assert workflows.default_workflow_ref == "deliver"
    plan = build_plan(workflows, "deliver", {})
    assert [(phase.id, phase.mode) for phase in plan.phases] == [
        ("implement", PhaseMode.AGENT),
        ("test", PhaseMode.COMMAND),
        ("review", PhaseMode.AGENT),
    ]
    assert plan.phases[1].command is not None
    assert plan.phases[1].command.on_failure_verdict is Verdict.REWORK
    assert [phase.on_verdict[Verdict.REWORK].target for phase in plan.phases[1:]] == ["implement", "implement"]
    assert providers_needed(plan) == {"mock"}
