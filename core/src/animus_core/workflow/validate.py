"""What the definitions say about each other: unknown names, circles, phases that nobody could execute.

Pure. Each finding has its place and a hint. Below lie `definitions`, `cascade`, `expand` and `issues`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from animus_core.workflow.cascade import agent_of, resolve_provider
from animus_core.workflow.definitions import (
    AgentProfile,
    CommandSpec,
    CwdMode,
    Defined,
    Idempotency,
    PhaseDefinition,
    PhaseMode,
    Transition,
    WorkflowDefinition,
    WorkflowSet,
)
from animus_core.workflow.expand import Reach, survey
from animus_core.workflow.issues import MAX_ISSUES, Issue, Severity, did_you_mean, shown
from animus_protocol.models.verdict import Verdict

__all__ = ["Broken", "validate"]

Broken = frozenset[tuple[str, str]]
"""(section, lower-case id) of what is defined but could not be read: naming it is not a mistake of its own."""


def validate(workflows: WorkflowSet, broken: Broken = frozenset()) -> list[Issue]:
    """The mistakes and warnings in what was read; the search ends after `MAX_ISSUES` mistakes."""
    reach, issues = survey(workflows)
    found = chain(
        _default_ref(workflows, broken),
        chain.from_iterable(_workflow(workflows, item, reach, broken) for item in workflows.workflows.values()),
        chain.from_iterable(_phase(workflows, item, broken) for item in workflows.phases.values()),
        chain.from_iterable(_agent(workflows, item, broken) for item in workflows.agents.values()),
    )
    # Findings come lazily and are counted here: a hostile file must not cost more than the bound.
    errors = 0
    for issue in found:
        issues.append(issue)
        errors += issue.severity is Severity.ERROR
        if errors >= MAX_ISSUES:
            break
    return issues


def _default_ref(workflows: WorkflowSet, broken: Broken) -> Iterator[Issue]:
    ref, place = workflows.default_workflow_ref, workflows.default_place
    if ref is None or place is None or workflows.workflow(ref) or ("workflows", ref.lower()) in broken:
        return
    hint = _name_hint(ref, [item.id for item in workflows.workflows.values()], "workflow")
    yield Issue.at(place, f"unknown workflow {shown(ref)} in `default_workflow_ref`", hint)


def _name_hint(name: str, known: list[str], kind: str) -> str:
    listed = ", ".join(sorted(known)[:10])
    otherwise = f"name one of {listed}, or define it" if known else f"define this {kind}"
    return did_you_mean(name, known, otherwise)


def _workflow(
    workflows: WorkflowSet, workflow: Defined[WorkflowDefinition], reach: Mapping[str, Reach], broken: Broken
) -> Iterator[Issue]:
    names: set[str] = set()
    for index, variable in enumerate(workflow.value.variables):
        if variable.name in names:
            place = workflow.place_of("variables", index, "name")
            yield Issue.at(place, f"the variable {shown(variable.name)} is declared twice", "keep one")
        names.add(variable.name)
    seen: set[str] = set()
    for index, entry in enumerate(workflow.value.phases):
        if entry.workflow_ref is not None:
            yield from _reference(workflows, workflow, index, broken)
            continue
        entry_id = entry.id or ""
        seen.add(entry_id.lower())
        if workflows.phase(entry_id) is None and ("phases", entry_id.lower()) not in broken:
            hint = _name_hint(entry_id, [item.id for item in workflows.phases.values()], "phase")
            yield Issue.at(workflow.place_of("phases", index), f"unknown phase {shown(entry_id)}", hint)
        for verdict, transition in entry.on_verdict.items():
            yield from _transition(workflow, index, verdict, transition, reach[workflow.id.lower()])
            # A warning and not an error: the loop may end by another verdict, which only a run can show.
            if verdict in (Verdict.ADVANCE, Verdict.SKIP) and transition.target.lower() in seen:
                message = f"`on_verdict.{verdict}` leads back to {shown(transition.target)} without a bound"
                hint = "go back with `rework`, which `max_rework_attempts` bounds"
                place = workflow.place_of("phases", index, "on_verdict", verdict.value, "target")
                yield Issue.at(place, message, hint, severity=Severity.WARNING)


def _reference(
    workflows: WorkflowSet, workflow: Defined[WorkflowDefinition], index: int, broken: Broken
) -> Iterator[Issue]:
    ref = workflow.value.phases[index].workflow_ref or ""
    place = workflow.place_of("phases", index, "workflow_ref")
    others = [key for key in workflow.located.find("phases", index).fields or {} if key != "workflow_ref"]
    if others:
        message = f"an entry with `workflow_ref` takes no other key, found {shown(', '.join(others))}"
        yield Issue.at(place, message, "remove it, or make it an entry of its own")
    if workflows.workflow(ref) is None and ("workflows", ref.lower()) not in broken:
        hint = _name_hint(ref, [item.id for item in workflows.workflows.values()], "workflow")
        yield Issue.at(place, f"unknown workflow {shown(ref)}", hint)


def _transition(
    workflow: Defined[WorkflowDefinition], index: int, verdict: Verdict, transition: Transition, reach: Reach
) -> Iterator[Issue]:
    path = ("phases", index, "on_verdict", verdict.value)
    named: list[tuple[tuple[str | int, ...], str]] = [((*path, "target"), transition.target)]
    named += [((*path, "allowed_targets", at), target) for at, target in enumerate(transition.allowed_targets)]
    for target_path, target in named:
        # Only where all phases are known: what a broken sub-workflow has, nobody can say.
        if target and reach.complete and target.lower() not in reach.ids:
            hint = did_you_mean(target, sorted(reach.ids), f"name one of {', '.join(sorted(reach.ids)[:10])}")
            message = f"`on_verdict.{verdict}` leads to {shown(target)}, which is not a phase of {shown(workflow.id)}"
            yield Issue.at(workflow.place_of(*target_path), message, hint)


def _phase(workflows: WorkflowSet, phase: Defined[PhaseDefinition], broken: Broken) -> Iterator[Issue]:
    value, name = phase.value, shown(phase.id)
    if value.mode is PhaseMode.MANUAL:
        hint = "remove the phase, or make it an `agent` or a `command` phase"
        yield Issue.at(phase.place_of("mode"), f"{name}: mode `manual` is not supported yet", hint)
        return
    if value.idempotency is Idempotency.UNKNOWN:
        message = f"{name}: a crash in the middle blocks the run, because `idempotency` is unknown"
        hint = "declare `idempotency: idempotent` or `idempotency: sideeffecting`"
        yield Issue.at(phase.place_of("idempotency"), message, hint, severity=Severity.WARNING)
    if value.mode is PhaseMode.COMMAND:
        yield from _command_phase(phase)
    else:
        yield from _agent_phase(workflows, phase, broken)


def _command_phase(phase: Defined[PhaseDefinition]) -> Iterator[Issue]:
    name = shown(phase.id)
    for key in ("agent", "agent_id", "directive", "system_prompt", "default_tool", "runtime"):
        if key in (phase.located.fields or {}):
            message = f"{name}: {shown(key)} has no effect in a command phase"
            yield Issue.at(phase.place_of(key), message, "remove it", severity=Severity.WARNING)
    if phase.value.command is None:
        yield Issue.at(phase.place, f"{name}: a command phase has no `command`", "add `command: { program: … }`")
        return
    yield from _command(phase, phase.value.command)


def _command(phase: Defined[PhaseDefinition], command: CommandSpec) -> Iterator[Issue]:
    name = shown(phase.id)
    if command.cwd_mode is CwdMode.PATH and command.cwd_path is None:
        place = phase.place_of("command", "cwd_mode")
        yield Issue.at(place, f"{name}: `cwd_mode: path` has no `cwd_path`", "add `cwd_path`")
    if command.cwd_mode is not CwdMode.PATH and command.cwd_path is not None:
        place = phase.place_of("command", "cwd_path")
        yield Issue.at(place, f"{name}: `cwd_path` needs `cwd_mode: path`", "add that, or remove `cwd_path`")
    for variable in command.env:
        # The kernel's environment is `NAME=value`: such a name would set another variable.
        if "=" in variable:
            place = phase.place_of("command", "env", variable)
            yield Issue.at(place, f"{name}: {shown(variable)} is not a name of a variable", "write NAME: value")


def _agent_phase(workflows: WorkflowSet, phase: Defined[PhaseDefinition], broken: Broken) -> Iterator[Issue]:
    value, name = phase.value, shown(phase.id)
    if value.command is not None:
        hint = "set `mode: command`, or remove `command`"
        yield Issue.at(phase.place_of("command"), f"{name}: an agent phase has a `command`", hint)
    wanted = value.agent or "default"
    if ("agents", wanted.lower()) in broken:
        return
    if agent_of(workflows, value) is None and value.agent is not None:
        place = phase.place_of("agent" if "agent" in (phase.located.fields or {}) else "agent_id")
        hint = _name_hint(wanted, [item.id for item in workflows.agents.values()], "agent")
        yield Issue.at(place, f"{name}: unknown agent {shown(wanted)}", hint)
    elif resolve_provider(workflows, value).tool is None:
        hint = "add `agent`, or define an agent `default`, or set `runtime.tool`"
        if agent_of(workflows, value) is not None:
            hint = f"give the agent {shown(wanted)} a `tool`, or set `runtime.tool`"
        yield Issue.at(phase.place, f"{name}: nothing names the provider of this agent phase", hint)


def _agent(workflows: WorkflowSet, agent: Defined[AgentProfile], broken: Broken) -> Iterator[Issue]:
    value, name = agent.value, shown(agent.id)
    if value.system_prompt is not None and value.system_prompt_file is not None:
        place = agent.place_of("system_prompt_file")
        yield Issue.at(place, f"{name}: has both `system_prompt` and `system_prompt_file`", "keep one")
    if value.model is not None and value.models:
        yield Issue.at(agent.place_of("models"), f"{name}: has both `model` and `models`", "keep one")
    for index, model in enumerate(value.models):
        if model.lower() not in workflows.models and ("models", model.lower()) not in broken:
            hint = _name_hint(model, [item.id for item in workflows.models.values()], "model")
            yield Issue.at(agent.place_of("models", index), f"{name}: unknown model {shown(model)}", hint)
