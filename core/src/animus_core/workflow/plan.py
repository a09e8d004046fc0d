"""The plan: the immutable snapshot of one workflow that a run executes, also when it is resumed.

`build_plan` is called once, when a dispatch is accepted; the runner reads the JSON of it and nothing else.

Phases of sub-workflows stand inline. A phase id is unique inside a plan, whatever its case: the first `check` is
`check`; a later one is `<workflow>/check` when it comes from a sub-workflow, else (or when that is taken too)
`check#2`, `check#3`, … A transition of a phase stays inside the workflow that wrote it (sub-workflows of that one
included); its target is the nearest phase of that name at or before the phase itself, else the next one after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from animus_core.errors import Internal, InvalidInput, UnknownName
from animus_core.workflow.cascade import ResolvedProvider, resolve_provider
from animus_core.workflow.definitions import (
    AgentProfile,
    Backoff,
    CommandSpec,
    CwdMode,
    DecisionContract,
    Defined,
    Idempotency,
    PhaseDefinition,
    PhaseMode,
    Transition,
    WorkflowDefinition,
    WorkflowSet,
)
from animus_core.workflow.expand import Step, expand, find_target
from animus_core.workflow.issues import did_you_mean, shown
from animus_core.workflow.located import SourceFile
from animus_protocol.models.verdict import Verdict

__all__ = ["Plan", "PlannedCommand", "PlannedPhase", "PlannedRetry", "build_plan", "providers_needed"]


class Planned(BaseModel):
    """Base: frozen, and a reader of the same version knows every field."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PlannedRetry(Planned):
    """Attempts within one visit of a phase; wait `initial_s · factor^(attempt−1)`, at most `max_s` seconds."""

    max_attempts: int = 1
    initial_s: float = 0.0
    factor: float = 1.0
    max_s: float | None = None


class PlannedCommand(Planned):
    """The program of a command phase; its timeout is the phase's `timeout_s`.

    `excerpt_max_chars`: how much of the output becomes the reason; None leaves it to the runner.
    """

    program: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd_mode: CwdMode = CwdMode.TASK_ROOT
    cwd_path: str | None = None
    success_exit_codes: tuple[int, ...] = (0,)
    on_success_verdict: Verdict = Verdict.ADVANCE
    on_failure_verdict: Verdict = Verdict.FAIL
    excerpt_max_chars: int | None = None


class PlannedPhase(Planned):
    """One step of a run, every default and cascade already resolved.

    `tool` is the provider, set for every agent phase; `timeout_s` None = no limit of the phase's own. A transition's
    `target` and `allowed_targets` are phase ids of this plan; an empty `target` ends the run.
    """

    id: str
    mode: PhaseMode
    directive: str = ""
    system_prompt: str | None = None
    agent: str | None = None
    tool: str | None = None
    model: str | None = None
    timeout_s: int | None = None
    idempotency: Idempotency = Idempotency.UNKNOWN
    max_rework_attempts: int = 3
    on_verdict: dict[Verdict, Transition] = Field(default_factory=dict)
    retry: PlannedRetry = Field(default_factory=PlannedRetry)
    decision_contract: DecisionContract = Field(default_factory=DecisionContract)
    command: PlannedCommand | None = None


class Plan(Planned):
    """What a run executes. `variables` hold the values for `{{name}}`; `sources` say which files it was made of."""

    v: Literal[1] = 1
    workflow_ref: str
    name: str
    phases: tuple[PlannedPhase, ...] = Field(min_length=1)
    variables: dict[str, str] = Field(default_factory=dict)
    sources: tuple[SourceFile, ...] = ()


def build_plan(workflows: WorkflowSet, ref: str, variables: Mapping[str, str]) -> Plan:
    """The plan of the workflow `ref` (any case) for one run; `workflows` comes from `load_workflows`.

    A variable takes the value given, else its default (the outermost workflow that declares one wins); an optional
    one with neither stays as `{{name}}`. Values that no workflow declares are kept. Raises UnknownName for an unknown
    `ref`, InvalidInput when required variables have no value, naming all of them.
    """
    root = workflows.workflow(ref)
    if root is None:
        known = sorted(item.id for item in workflows.workflows.values())
        listed = f"name one of {', '.join(known[:10])}" if known else "define it in `.animus/workflows.yaml`"
        raise UnknownName(f"there is no workflow {shown(ref)}", hint=did_you_mean(ref, known, listed))
    steps = expand(workflows, root)
    # All is decided here: the runner looks nothing up, so an edit of the files during a run changes nothing in it.
    phases = tuple(_phase(workflows, steps, position) for position in range(len(steps)))
    return Plan(
        workflow_ref=root.id,
        name=root.value.name or root.id,
        phases=phases,
        variables=_values(root, steps, variables),
        sources=workflows.sources,
    )


def providers_needed(plan: Plan) -> frozenset[str]:
    """The tools (provider names) that the agent phases of `plan` call for."""
    return frozenset(phase.tool for phase in plan.phases if phase.tool is not None)


def _values(root: Defined[WorkflowDefinition], steps: list[Step], given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        # A byte of the command line that is not UTF-8 becomes half a surrogate pair, which no file can hold.
        if not (name + value).isascii() and not _encodable(name + value):
            raise InvalidInput(f"the variable {shown(name)} is not valid Unicode text", hint="give it as UTF-8")
    # The outermost first, whose default wins: it is the one that knows what the sub-workflow is used for.
    declared = [*root.value.variables]
    seen = {root.id.lower()}
    for step in steps:
        if step.workflow.id.lower() not in seen:
            seen.add(step.workflow.id.lower())
            declared += step.workflow.value.variables
    defaults: dict[str, str] = {}
    for variable in declared:
        if variable.default is not None:
            defaults.setdefault(variable.name, variable.default)
    values = {**defaults, **given}
    missing = dict.fromkeys(item.name for item in declared if item.required and item.name not in values)
    if missing:
        listed = ", ".join(shown(name) for name in missing)
        message = f"{root.place}: the workflow {shown(root.id)} needs values for {listed}"
        hint = "give each a value (`--var NAME=VALUE`), or a `default`"
        raise InvalidInput(message, hint=hint, details={"missing": list(missing)})
    return values


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _phase(workflows: WorkflowSet, steps: list[Step], position: int) -> PlannedPhase:
    step = steps[position]
    found = workflows.phase(step.entry_id)
    if found is None:
        raise Internal(f"the phase {shown(step.entry_id)} is not defined", hint="load the workflows again")
    phase = found.value
    is_agent = phase.mode is PhaseMode.AGENT
    provider = resolve_provider(workflows, phase) if is_agent else ResolvedProvider(None, None, None)
    agent = None if provider.agent is None else provider.agent.value
    system_prompt = phase.system_prompt
    if provider.agent is not None and agent is not None and system_prompt is None:
        system_prompt = workflows.prompts.get(provider.agent.id.lower(), agent.system_prompt)
    timeout_s = phase.runtime.timeout_secs or (agent.timeout_secs if agent is not None else None)
    if not is_agent:
        timeout_s = phase.command.timeout_secs if phase.command is not None else None
    return PlannedPhase(
        id=step.id,
        mode=phase.mode,
        directive=phase.directive or "",
        system_prompt=system_prompt if is_agent else None,
        agent=None if provider.agent is None else provider.agent.id,
        tool=provider.tool,
        model=provider.model,
        timeout_s=timeout_s,
        idempotency=phase.idempotency,
        max_rework_attempts=step.entry.max_rework_attempts,
        on_verdict=_transitions(steps, position),
        retry=_retry(phase, agent),
        decision_contract=phase.decision_contract or DecisionContract(),
        command=None if is_agent or phase.command is None else _command(phase.command),
    )


def _transitions(steps: list[Step], position: int) -> dict[Verdict, Transition]:
    return {
        verdict: Transition(
            target=find_target(steps, position, transition.target),
            allow_agent_target=transition.allow_agent_target,
            allowed_targets=tuple(find_target(steps, position, name) for name in transition.allowed_targets),
        )
        for verdict, transition in steps[position].entry.on_verdict.items()
    }


def _retry(phase: PhaseDefinition, agent: AgentProfile | None) -> PlannedRetry:
    # `retry` goes first: the attempts of runtime and agent know no waiting.
    if phase.retry is None:
        attempts = phase.runtime.max_attempts or (agent.max_attempts if agent is not None else None)
        return PlannedRetry(max_attempts=attempts or 1)
    backoff = phase.retry.backoff or Backoff(initial_secs=0.0)
    return PlannedRetry(
        max_attempts=phase.retry.max_attempts,
        initial_s=backoff.initial_secs,
        factor=backoff.factor,
        max_s=backoff.max_secs,
    )


def _command(command: CommandSpec) -> PlannedCommand:
    return PlannedCommand(
        program=command.program,
        args=command.args,
        env=command.env,
        cwd_mode=command.cwd_mode,
        cwd_path=command.cwd_path,
        success_exit_codes=command.success_exit_codes,
        on_success_verdict=command.on_success_verdict or Verdict.ADVANCE,
        on_failure_verdict=command.on_failure_verdict or Verdict.FAIL,
        excerpt_max_chars=command.excerpt_max_chars,
    )
