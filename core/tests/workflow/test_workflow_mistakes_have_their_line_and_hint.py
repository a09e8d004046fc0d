"""A golden table: each kind of mistake, its exact line and what it tells the author to do."""

from __future__ import annotations

from textwrap import dedent

import pytest

AT = "workflows.yaml"

WORKING = """\
agents:
  default: { tool: mock }
phases:
  build: { mode: agent, idempotency: idempotent }
  check: { mode: command, idempotency: idempotent, command: { program: "true" } }
"""

GOLDEN = {
    "unknown phase": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - build\n      - chekc\n",
        [f"{AT}:10: unknown phase `chekc` — did you mean `check`?"],
    ),
    "unknown phase, nothing near": (
        WORKING + "workflows:\n  - id: ship\n    phases: [zzz]\n",
        [f"{AT}:8: unknown phase `zzz` — name one of build, check, or define it"],
    ),
    "unknown workflow_ref": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - workflow_ref: shipp\n",
        [f"{AT}:9: unknown workflow `shipp` — did you mean `ship`?"],
    ),
    "unknown default_workflow_ref": (
        WORKING + "default_workflow_ref: shap\nworkflows:\n  - id: ship\n    phases: [build]\n",
        [f"{AT}:6: unknown workflow `shap` in `default_workflow_ref` — did you mean `ship`?"],
    ),
    "unknown agent": (
        "agents:\n  engineer: { tool: mock }\nphases:\n  build:\n    mode: agent\n    agent: enginer\n",
        [f"{AT}:6: `build`: unknown agent `enginer` — did you mean `engineer`?"],
    ),
    "unknown agent under the other spelling": (
        "phases:\n  build:\n    mode: agent\n    agent_id: engineer\n",
        [f"{AT}:4: `build`: unknown agent `engineer` — define this agent"],
    ),
    "both spellings of agent": (
        "agents: { a: { tool: mock } }\nphases:\n  build:\n    mode: agent\n    agent: a\n    agent_id: a\n",
        [f"{AT}:6: `agent_id` is another spelling of a key that is here too — keep one"],
    ),
    "agent phase without any agent": (
        "phases:\n  build: { mode: agent }\n",
        [
            f"{AT}:2: `build`: nothing names the provider of this agent phase — "
            "add `agent`, or define an agent `default`, or set `runtime.tool`"
        ],
    ),
    "agent without a tool": (
        "agents:\n  a: { model: m }\nphases:\n  build: { mode: agent, agent: a }\n",
        [
            f"{AT}:4: `build`: nothing names the provider of this agent phase — "
            "give the agent `a` a `tool`, or set `runtime.tool`"
        ],
    ),
    "unknown model": (
        "models:\n  strong: { model: m }\nagents:\n  a:\n    models: [stronk]\n",
        [f"{AT}:5: `a`: unknown model `stronk` — did you mean `strong`?"],
    ),
    "fallback models": (
        "models:\n  x: { model: m }\n  y: { model: n }\nagents:\n  a:\n    models: [x, y]\n",
        [f"{AT}:6: `models`: fallback models are not supported yet — keep one name"],
    ),
    "model and models": (
        "models:\n  x: { model: m }\nagents:\n  a:\n    model: m\n    models: [x]\n",
        [f"{AT}:6: `a`: has both `model` and `models` — keep one"],
    ),
    "circle of workflows": (
        dedent(
            """\
            workflows:
              - id: a
                phases:
                  - workflow_ref: b
              - id: b
                phases:
                  - workflow_ref: A
            """
        ),
        [f"{AT}:7: circular sub-workflow reference: a → b → a — remove one `workflow_ref` of the circle"],
    ),
    "workflow that includes itself": (
        "workflows:\n  - id: a\n    phases: [{ workflow_ref: a }]\n",
        [f"{AT}:3: circular sub-workflow reference: a → a — remove one `workflow_ref` of the circle"],
    ),
    "workflow_ref with more keys": (
        WORKING + "workflows:\n  - id: a\n    phases: [build]\n  - id: b\n    phases:\n"
        "      - workflow_ref: a\n        max_rework_attempts: 1\n",
        [
            f"{AT}:11: an entry with `workflow_ref` takes no other key, found `max_rework_attempts` — "
            "remove it, or make it an entry of its own"
        ],
    ),
    "on_verdict target": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - build\n      - check:\n          on_verdict:\n"
        "            rework:\n              target: biuld\n",
        [f"{AT}:13: `on_verdict.rework` leads to `biuld`, which is not a phase of `ship` — did you mean `build`?"],
    ),
    "allowed_targets": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - check:\n          on_verdict:\n"
        "            rework: { target: check, allowed_targets: [check, build] }\n",
        [f"{AT}:11: `on_verdict.rework` leads to `build`, which is not a phase of `ship` — name one of check"],
    ),
    "unknown verdict": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - check:\n          on_verdict:\n"
        '            reworkk: { target: "" }\n',
        [f"{AT}:11: unknown verdict `reworkk` — did you mean `rework`? (advance, rework, skip, fail)"],
    ),
    "verdict that YAML reads as a boolean": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - check:\n          on_verdict:\n"
        '            yes: { target: "" }\n',
        [
            f"{AT}:11: the key `yes` is read as a boolean — YAML reads unquoted yes, no, on, off, true and false "
            "as a boolean: put it in quotes"
        ],
    ),
    "unknown verdict of a command": (
        "phases:\n  c:\n    mode: command\n    command:\n      program: make\n      on_failure_verdict: failed\n",
        [f"{AT}:6: unknown verdict `failed` — did you mean `fail`? (advance, rework, skip, fail)"],
    ),
    "transition without a target": (
        WORKING
        + "workflows:\n  - id: ship\n    phases:\n      - check:\n          on_verdict:\n            fail: {}\n",
        [f"{AT}:11: `phases[0].on_verdict.fail.target` is missing — add `target` here"],
    ),
    "guard": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - check:\n          on_verdict:\n"
        '            fail: { target: "", guard: x }\n',
        [f"{AT}:11: `guard` is not supported yet — remove it"],
    ),
    "mode missing": (
        "phases:\n  build:\n    agent: a\n",
        [f"{AT}:2: `mode` is missing — add `mode` here"],
    ),
    "mode unknown": (
        "phases:\n  build:\n    mode: agnet\n",
        [f"{AT}:3: unknown mode `agnet` — did you mean `agent`? (agent, command, manual)"],
    ),
    "mode manual": (
        "phases:\n  gate:\n    mode: manual\n    manual: { instructions: look }\n",
        [
            f"{AT}:3: `gate`: mode `manual` is not supported yet — "
            "remove the phase, or make it an `agent` or a `command` phase",
            f"{AT}:4: `manual` is not supported yet — remove it",
        ],
    ),
    "command phase without a command": (
        "phases:\n  c:\n    mode: command\n",
        [f"{AT}:2: `c`: a command phase has no `command` — add `command: {{ program: … }}`"],
    ),
    "command without a program": (
        "phases:\n  c:\n    mode: command\n    command:\n      args: [x]\n",
        [f"{AT}:4: `command.program` is missing — add `program` here"],
    ),
    "agent phase with a command": (
        "agents: { default: { tool: mock } }\nphases:\n  c:\n    mode: agent\n    command: { program: make }\n",
        [f"{AT}:5: `c`: an agent phase has a `command` — set `mode: command`, or remove `command`"],
    ),
    "cwd_path missing": (
        "phases:\n  c:\n    mode: command\n    command:\n      program: make\n      cwd_mode: path\n",
        [f"{AT}:6: `c`: `cwd_mode: path` has no `cwd_path` — add `cwd_path`"],
    ),
    "cwd_path without its mode": (
        "phases:\n  c:\n    mode: command\n    command:\n      program: make\n      cwd_path: sub\n",
        [f"{AT}:6: `c`: `cwd_path` needs `cwd_mode: path` — add that, or remove `cwd_path`"],
    ),
    "name of an environment variable": (
        "phases:\n  c:\n    mode: command\n    command: { program: make, env: { 'A=B': x } }\n",
        [f"{AT}:4: `c`: `A=B` is not a name of a variable — write NAME: value"],
    ),
    "number where text belongs": (
        "phases:\n  c:\n    mode: command\n    command:\n      program: make\n      args:\n        - -j\n        - 4\n",
        [f"{AT}:8: `command.args[1]`: expected text, found the number 4 — put it in quotes"],
    ),
    "boolean where text belongs": (
        "phases:\n  c:\n    mode: command\n    command: { program: yes }\n",
        [
            f"{AT}:4: `command.program`: expected text, found true — YAML reads unquoted yes, no, on, off, true "
            "and false as a boolean: put it in quotes"
        ],
    ),
    "text where a number belongs": (
        "phases:\n  c:\n    mode: command\n    command: { program: make, timeout_secs: '60' }\n",
        [f"{AT}:4: `command.timeout_secs`: expected a whole number, found the text `60` — correct it"],
    ),
    "number out of range": (
        "phases:\n  c:\n    mode: command\n    command: { program: make }\n    retry: { max_attempts: 11 }\n",
        [f"{AT}:5: `retry.max_attempts`: input should be less than or equal to 10 — correct it"],
    ),
    "list where a mapping belongs": (
        "phases:\n  c:\n    mode: command\n    command: [make]\n",
        [f"{AT}:4: `command`: expected a mapping, found a list — correct it"],
    ),
    "unknown key": (
        "agents: { default: { tool: mock } }\nphases:\n  c:\n    mode: agent\n    directiv: x\n",
        [f"{AT}:5: unknown key `directiv` — did you mean `directive`?"],
    ),
    "unknown top-level key": (
        "workflow:\n  - id: a\n",
        [f"{AT}:1: unknown key `workflow` — did you mean `workflows`?"],
    ),
    "variables at the top": (
        "name: x\nvariables: []\n",
        [f"{AT}:2: unknown key `variables` — write `variables` inside a workflow"],
    ),
    "key of an entry written on the phase": (
        "agents: { default: { tool: mock } }\nphases:\n  c:\n    mode: agent\n    max_rework_attempts: 2\n",
        [f"{AT}:5: unknown key `max_rework_attempts` — write it on the entry in the workflow's `phases`"],
    ),
    "options of an entry not indented": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - check:\n        max_rework_attempts: 2\n",
        [
            f"{AT}:10: the entry `check` is followed by `max_rework_attempts` at the same indentation — "
            "indent the options below `check:`"
        ],
    ),
    "entry that is a number": (
        WORKING + "workflows:\n  - id: ship\n    phases: [build, 7]\n",
        [f"{AT}:8: this entry names no phase — write a phase id, or `workflow_ref: …`"],
    ),
    "id inside a named entry": (
        WORKING + "workflows:\n  - id: ship\n    phases:\n      - build:\n          id: other\n",
        [f"{AT}:10: `id` stands inside the entry `build` — remove it"],
    ),
    "workflow without id": (
        WORKING + "workflows:\n  - phases: [build]\n",
        [f"{AT}:7: `id` is missing — add `id` here"],
    ),
    "workflow without phases": (
        "workflows:\n  - id: a\n",
        [f"{AT}:2: `phases` is missing — add `phases` here"],
    ),
    "workflow with no phase": (
        "workflows:\n  - id: a\n    phases: []\n",
        [f"{AT}:3: `phases` is empty — add at least one"],
    ),
    "workflows as a mapping": (
        "workflows:\n  ship: { phases: [x] }\n",
        [f"{AT}:1: `workflows` is not a list — write each workflow as `- id: …`"],
    ),
    "phases as a list": (
        "phases:\n  - build\n",
        [f"{AT}:1: `phases` is not a mapping — write `phases:` with one id a line below it"],
    ),
    "invalid phase id": (
        "phases:\n  -x: { mode: command, command: { program: make } }\n",
        [f"{AT}:2: `-x` is not a valid phase id — use letters, digits and `. _ - /`, and begin with a letter or digit"],
    ),
    "invalid workflow id": (
        WORKING + "workflows:\n  - id: 'a b'\n    phases: [build]\n",
        [
            f"{AT}:7: `id`: `a b` is not a valid id — "
            "use letters, digits and `. _ - /`, and begin with a letter or digit"
        ],
    ),
    "the same phase twice but for its case": (
        WORKING + "  BUILD: { mode: agent }\n",
        [f"{AT}:6: the phase `BUILD` is defined twice, first at .animus/{AT}:4 — keep one, or rename one"],
    ),
    "the same variable twice": (
        WORKING
        + "workflows:\n  - id: a\n    phases: [build]\n    variables:\n      - name: goal\n      - name: goal\n",
        [f"{AT}:11: the variable `goal` is declared twice — keep one"],
    ),
    "the same key twice": (
        "phases:\n  a: { mode: agent, runtime: { tool: mock } }\n  a: { mode: agent }\n",
        [f"{AT}:3: the key `a` is written twice, first on line 2 — keep one"],
    ),
    "merge key": (
        "agents:\n  a: &a { tool: mock }\n  b:\n    <<: *a\n",
        [f"{AT}:4: merge keys (`<<`) are not supported — write the keys out"],
    ),
    "tag": (
        "agents:\n  a: !!python/object/apply:os.system [ls]\n",
        [
            f"{AT}:2: the tag `python/object/apply:os.system` is not allowed — remove the tag",
        ],
    ),
    "both prompts": (
        "agents:\n  a:\n    tool: mock\n    system_prompt: x\n    system_prompt_file: p.md\n",
        [
            f"{AT}:5: `a`: has both `system_prompt` and `system_prompt_file` — keep one",
            f"{AT}:5: the prompt file `p.md` cannot be read: No such file or directory — "
            "put the file under `.animus/` and write its path from there",
        ],
    ),
    "prompt outside the trusted folder": (
        "agents:\n  a:\n    tool: mock\n    system_prompt_file: ../secret.md\n",
        [
            f"{AT}:4: the prompt file `../secret.md` lies outside `.animus/` — "
            "put the file under `.animus/` and write its path from there"
        ],
    ),
    "worktree": (
        WORKING + "workflows:\n  - id: a\n    phases: [build]\n    worktree: { mode: required }\n",
        [f"{AT}:9: `worktree`: worktrees are not supported yet — write `skip`, or remove it"],
    ),
    "tab": (
        "phases:\n\tbuild: {}\n",
        [
            f"{AT}:2: not valid YAML: found character '\\t' that cannot start any token — "
            "indent with spaces, never with tabs"
        ],
    ),
    "second document": (
        "name: a\n---\nname: b\n",
        [f"{AT}:2: not valid YAML: a second document begins — put it into a file of its own"],
    ),
    "not a mapping": (
        "- a\n",
        [f"{AT}:1: the file is not a mapping — begin with a key such as `workflows:`"],
    ),
    "character that YAML does not allow": (
        "name: a\ndescription: b\x07\n",
        [f"{AT}:2: the character U+0007 is not allowed in YAML — remove it"],
    ),
    "escaped NUL": (
        'phases:\n  c:\n    mode: command\n    command:\n      program: make\n      args: ["a\\0b"]\n',
        [
            f"{AT}:6: holds a character that cannot be stored (NUL or half of a pair) — remove it",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), GOLDEN.values(), ids=list(GOLDEN))
def test_a_mistake_is_told_with_its_line_and_what_to_do(mistakes, text, expected):
    assert mistakes(text) == expected


def test_all_mistakes_of_all_files_come_in_one_error(mistakes):
    lines = mistakes(
        {
            "workflows.yaml": WORKING + "workflows:\n  - id: a\n    phases: [nope]\n    budget: {}\n",
            "workflows/b.yaml": "phases:\n  x: { mode: comand }\n  y: { mode: agent, agent: nobody }\n",
            "workflows/c.yaml": "{",
        }
    )
    assert [line.split(" ")[0] for line in lines] == [
        "workflows.yaml:8:",
        "workflows.yaml:9:",
        "workflows/b.yaml:2:",
        "workflows/b.yaml:3:",
        "workflows/c.yaml:1:",
    ]


def test_what_is_broken_is_still_known_by_its_name(mistakes):
    text = "phases:\n  build: { mode: nope }\nworkflows:\n  - id: a\n    phases: [build]\n"
    assert [line.split(" ")[0] for line in mistakes(text)] == [f"{AT}:2:"]


def test_more_than_a_hundred_mistakes_are_counted_and_not_listed(mistakes):
    text = "phases:\n" + "".join(f"  p{n}: {{}}\n" for n in range(150))
    lines = mistakes(text)
    assert len(lines) == 101
    assert lines[-1] == "… and 50 more mistakes"


def test_a_message_shows_no_control_characters_of_the_file(mistakes):
    assert mistakes('"\\e[31mred\\n": 1\n')[0].startswith(f"{AT}:1: unknown key `\\x1b[31mred\\n` — ")
