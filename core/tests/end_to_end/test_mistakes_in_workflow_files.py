"""A mistake in a workflow file is told where it is, stops nothing else, and is fixed without losing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

NO_YAML = """\
workflows:
  - id: [deliver
    phases: [work]
"""
NO_YAML_MESSAGE = [".animus/workflows.yaml:3: not valid YAML", "correct the YAML"]

NO_REFERENCES = """\
default_workflow_ref: delivr
agents: { default: { tool: mock } }
phases:
  work: { mode: agent, agent: nobody, idempotency: idempotent }
workflows:
  - id: deliver
    phases: [work, wrok]
  - id: two
    phases: [{ workflow_ref: three }]
  - id: three
    phases: [{ workflow_ref: two }]
  - id: four
    phases: [{ workflow_ref: nowhere }]
"""
NO_REFERENCES_MESSAGE = [
    ".animus/workflows.yaml:1: unknown workflow `delivr` in `default_workflow_ref` — did you mean `deliver`?",
    ".animus/workflows.yaml:4: `work`: unknown agent `nobody` — name one of default, or define it",
    ".animus/workflows.yaml:7: unknown phase `wrok` — did you mean `work`?",
    ".animus/workflows.yaml:11: circular sub-workflow reference: two → three → two — remove one `workflow_ref`",
    ".animus/workflows.yaml:13: unknown workflow `nowhere` — name one of",
]

FOREIGN_PROVIDER = """\
default_workflow_ref: deliver
agents: { default: { tool: nonesuch } }
phases: { work: { mode: agent, idempotency: idempotent } }
workflows:
  - id: deliver
    phases: [work]
"""

VARIABLE = """\
default_workflow_ref: deliver
agents: { default: { tool: mock } }
phases: { work: { mode: agent, idempotency: idempotent, directive: "{{ticket}}" } }
workflows:
  - id: deliver
    variables: [{ name: ticket, required: true }]
    phases: [work]
  - id: other
    phases: [work]
"""


def test_every_command_that_needs_a_file_with_mistakes_says_their_lines_and_the_way_out(
    project: Project, animus: Animus
) -> None:
    cases = [
        (NO_YAML, NO_YAML_MESSAGE, (["workflow", "validate"], ["daemon", "start"], ["queue", "enqueue", "TASK-001"])),
        (NO_REFERENCES, NO_REFERENCES_MESSAGE, (["workflow", "validate"], ["daemon", "run"])),
    ]
    for text, messages, commands in cases:
        project.workflows(text)
        for result in animus.together(*commands):
            assert (result.code, result.error["code"]) == (2, "invalid_input")
            assert not [part for part in messages if part not in result.printed], result.printed
    read = animus.text("workflow", "validate")
    assert (read.code, read.stdout) == (2, "")
    assert read.stderr.startswith("animus: .animus/workflows.yaml:1: unknown workflow `delivr`")


def test_work_whose_file_breaks_under_a_running_daemon_is_held_and_done_after_the_release(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    assert animus("daemon", "pause").code == 0
    assert animus("queue", "enqueue", "TASK-001").code == 0
    project.workflows(NO_YAML)

    refused = animus("queue", "enqueue", "TASK-002")
    assert refused.code == 2
    assert NO_YAML_MESSAGE[0] in refused.printed
    assert animus("daemon", "resume").code == 0
    held = events.wait("queue_held", subject_id="TASK-001")
    assert NO_YAML_MESSAGE[0] in held["payload"]["reason"]
    entries = animus("queue", "list").data["entries"]
    assert [(entry["subject_id"], entry["status"]) for entry in entries] == [("TASK-001", "held")]
    assert NO_YAML_MESSAGE[0] in entries[0]["hold_reason"]

    project.workflows()
    released, accepted = animus.together(["queue", "release", "TASK-001"], ["queue", "enqueue", "TASK-002"])
    assert (released.code, accepted.code) == (0, 0)
    events.wait("workflow_completed", subject_id="TASK-001")
    events.wait("workflow_completed", subject_id="TASK-002")


def test_a_missing_provider_stops_the_start_with_its_fix_and_without_the_check_holds_the_work(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    assert animus("queue", "enqueue", "TASK-001").code == 0
    project.workflows(FOREIGN_PROVIDER)

    for refused in animus.together(["daemon", "start"], ["daemon", "preflight"], ["daemon", "run"]):
        assert refused.code == 2
        assert ".animus/workflows.yaml:5: workflow 'deliver' needs provider 'nonesuch'" in refused.printed
        assert "fix: animus plugin install SOURCE" in refused.printed
        assert "--skip-preflight" in refused.printed
        assert refused.error["details"]["missing"][0]["fix"].startswith("animus plugin install SOURCE ")
    assert not stopped_daemon.running

    stopped_daemon.start("--skip-preflight")
    held = events.wait("queue_held", subject_id="TASK-001")
    assert "needs the provider 'nonesuch', which is not installed" in held["payload"]["reason"]
    refused = animus("queue", "enqueue", "TASK-002")
    assert refused.code == 2
    assert "animus plugin install SOURCE" in refused.printed

    project.workflows()
    assert animus("queue", "release", "TASK-001").code == 0
    events.wait("workflow_completed", subject_id="TASK-001")


def test_an_enqueue_that_could_never_start_is_refused_and_what_is_active_stays_as_it_is(
    project: Project, animus: Animus, daemon: Daemon
) -> None:
    project.workflows(VARIABLE)
    assert animus("daemon", "pause").code == 0
    first = animus("queue", "enqueue", "TASK-001", "--var", "ticket=7")
    assert first.code == 0

    variable, workflow, subject, kind, again, other = animus.together(
        ["queue", "enqueue", "TASK-002"],
        ["queue", "enqueue", "TASK-002", "--workflow", "nowhere"],
        ["queue", "enqueue", "TASK-404", "--var", "ticket=7"],
        ["queue", "enqueue", "TASK-002", "--var", "ticket=7", "--kind", "story"],
        ["queue", "enqueue", "TASK-001", "--var", "ticket=7"],
        ["queue", "enqueue", "TASK-001", "--workflow", "other"],
    )
    assert variable.code == 2
    assert ".animus/workflows.yaml:5: the workflow `deliver` needs values for `ticket`" in variable.printed
    assert "--var" in variable.printed
    assert (workflow.code, workflow.error["code"]) == (3, "not_found")
    assert "unknown workflow 'nowhere' (there are: deliver, other)" in workflow.printed
    assert ".animus/workflows.yaml" in workflow.printed
    assert (subject.code, subject.error["code"]) == (3, "not_found")
    assert "no task 'TASK-404'" in subject.printed
    assert "task TASK-404" not in subject.printed
    assert "animus subject list" in subject.printed
    assert kind.code == 3
    assert "no plugin serves subjects of kind 'story' (served: task)" in kind.printed
    assert again.code == 0
    assert again.data["entries"] == first.data["entries"]
    assert (other.code, other.error["code"]) == (4, "conflict")
    entry = first.data["entries"][0]["id"]
    assert f"TASK-001 is active already: entry {entry}" in other.printed
    assert f"animus queue drop {entry}" in other.printed
    left = animus("queue", "list").data["entries"]
    assert [one["id"] for one in left] == [entry]
