"""A key that is not supported yet is refused with its line, at the top and wherever it stands below."""

from __future__ import annotations

import re

import pytest

AT = "workflows.yaml"
UNSUPPORTED_AT_THE_TOP = [
    "agent_channels",
    "integrations",
    "mcp_servers",
    "phase_mcp_bindings",
    "schedules",
    "secrets",
    "tools",
    "tools_allowlist",
    "triggers",
]


@pytest.mark.parametrize("key", UNSUPPORTED_AT_THE_TOP)
def test_a_top_level_key_that_would_be_lost_in_silence_is_refused(mistakes, key):
    assert mistakes(f"name: x\n{key}: {{}}\n") == [f"{AT}:2: `{key}` is not supported yet — remove it"]


EVERYWHERE = """\
phases:
  p:
    mode: agent
    <phase>
    decision_contract:
      min_confidence: 0.5
      <contract>
    runtime:
      tool: mock
      <runtime>
  c:
    mode: command
    command:
      program: make
      <command>
workflows:
  - id: w
    <workflow>
    phases:
      - p:
          max_rework_attempts: 1
          <entry>
agents:
  a:
    tool: mock
    <agent>
daemon:
  pool_size: 2
  <daemon>
"""


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("workflow", "budget"),
        ("workflow", "post_success"),
        ("entry", "skip_if"),
        ("entry", "budget"),
        ("entry", "agent"),
        ("entry", "system_prompt_override"),
        ("phase", "evals"),
        ("phase", "skills"),
        ("phase", "capabilities"),
        ("phase", "output_contract"),
        ("phase", "output_json_schema"),
        ("runtime", "reasoning_effort"),
        ("runtime", "fallback_models"),
        ("runtime", "web_search"),
        ("contract", "fields"),
        ("contract", "extra_json_schema"),
        ("command", "failure_pattern"),
        ("command", "parse_json_output"),
        ("command", "confidence"),
        ("agent", "memory"),
        ("agent", "tool_policy"),
        ("agent", "mcp_servers"),
        ("agent", "persona"),
        ("agent", "extra_args"),
        ("daemon", "active_hours"),
        ("daemon", "auto_merge"),
    ],
)
def test_a_key_that_would_be_lost_in_silence_is_refused_wherever_it_stands(mistakes, where, key):
    written = EVERYWHERE.replace(f"<{where}>", f"{key}: [x]")
    text = re.sub(r"<[a-z]+>", "", written)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if f"{key}: [x]" in row)
    assert mistakes(text) == [f"{AT}:{line}: `{key}` is not supported yet — remove it"]
