"""What the YAML says, as typed definitions; keys, types and defaults are the protocol's authored form.

Built by `load`, checked against each other by `validate`, read by `plan`. A key that is listed in `NOT_SUPPORTED` is
one that other versions act on and this one does not: it is refused, because ignoring it would change what a run does
without a word. Below lie `issues`, `located` and pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from animus_core.workflow.issues import Issue, SourceLocation
from animus_core.workflow.located import Located, SourceFile
from animus_protocol.models.verdict import Verdict

__all__ = [
    "AgentProfile",
    "Backoff",
    "CommandSpec",
    "CwdMode",
    "DaemonBlock",
    "DecisionContract",
    "Defined",
    "Definition",
    "Idempotency",
    "ModelProfile",
    "PhaseDefinition",
    "PhaseEntry",
    "PhaseMode",
    "Retry",
    "Risk",
    "Runtime",
    "Transition",
    "Variable",
    "WorkflowDefinition",
    "WorkflowSet",
]

ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
MAX_ATTEMPTS: Final = 10


class PhaseMode(StrEnum):
    """Who does the work of a phase."""

    AGENT = "agent"
    COMMAND = "command"
    MANUAL = "manual"


class Idempotency(StrEnum):
    """What recovery may do after a crash in the middle: repeat only what is `idempotent`."""

    IDEMPOTENT = "idempotent"
    SIDEEFFECTING = "sideeffecting"
    UNKNOWN = "unknown"


class CwdMode(StrEnum):
    """Where a command runs; `task_root` is the directory that the run works in."""

    PROJECT_ROOT = "project_root"
    TASK_ROOT = "task_root"
    PATH = "path"


class Risk(StrEnum):
    """The risk that a decision declares, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def _worktree_is_skip(value: object) -> object:
    mode = value.get("mode") if isinstance(value, dict) else value
    # Accepted, because it asks for what happens anyway.
    if mode is False or mode == "skip":
        return "skip"
    raise PydanticCustomError(
        "not_supported", "worktrees are not supported yet", {"hint": "write `skip`, or remove it"}
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


Text = Annotated[str, Strict()]
Filled = Annotated[str, Strict(), StringConstraints(min_length=1)]
Id = Annotated[str, Strict(), StringConstraints(pattern=ID_PATTERN, max_length=128)]
VariableName = Annotated[str, Strict(), StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=128)]
Flag = Annotated[bool, Strict()]
# Strict: YAML reads `yes` as true, and pydantic would take that for 1. At most a year.
Seconds = Annotated[int, Strict(), Field(ge=1, le=31_536_000)]
Attempts = Annotated[int, Strict(), Field(ge=1, le=MAX_ATTEMPTS)]
Number = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
NoWorktree = Annotated[Literal["skip"], BeforeValidator(_worktree_is_skip)]


class Definition(BaseModel):
    """Base: unknown keys are refused, an explicit null is an absent key, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)

    NOT_SUPPORTED: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def keys(cls) -> dict[str, bool]:
        """Every key that may be written here → whether this version acts on it."""
        keys = dict.fromkeys(cls.NOT_SUPPORTED, False)
        for name, info in cls.model_fields.items():
            alias = info.validation_alias
            choices = alias.choices if isinstance(alias, AliasChoices) else [name]
            keys.update((str(choice), True) for choice in choices)
        return keys

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, values: Any) -> Any:
        if isinstance(values, dict):
            optional = cls.keys()
            return {key: value for key, value in values.items() if value is not None or not optional.get(key)}
        return values


class Transition(Definition):
    """Where a verdict leads: `target` is a phase id of the same workflow, empty ends the run.

    `allow_agent_target`: the decision may name another phase, one of `allowed_targets` when that list is not empty.
    """

    NOT_SUPPORTED = frozenset({"guard"})

    target: Text
    allow_agent_target: Flag = False
    allowed_targets: tuple[Id, ...] = ()


class PhaseEntry(Definition):
    """One line of `workflows[].phases`: a phase (`id`) or the phases of another workflow (`workflow_ref`).

    `load` brings the three written forms (text, `- review: {…}`, `- id: review`) to this one.
    """

    NOT_SUPPORTED = frozenset({"skip_if", "budget", "agent", "system_prompt_override"})

    id: Id | None = None
    workflow_ref: Id | None = None
    max_rework_attempts: Annotated[int, Strict(), Field(ge=0, le=100)] = 3
    on_verdict: dict[Verdict, Transition] = Field(default_factory=dict)
    worktree: NoWorktree | None = None


class Variable(Definition):
    """A run-time variable, written `{{name}}` where it is used."""

    name: VariableName
    description: Text | None = None
    required: Flag = False
    default: Text | None = None


class WorkflowDefinition(Definition):
    """A workflow: its phases in order and the variables a start may give."""

    NOT_SUPPORTED = frozenset({"budget", "post_success"})

    id: Id
    name: Text | None = None
    description: Text | None = None
    phases: Annotated[tuple[PhaseEntry, ...], Field(min_length=1)]
    variables: tuple[Variable, ...] = ()
    worktree: NoWorktree | None = None


class Backoff(Definition):
    """Waiting between attempts: `initial_secs · factor^(attempt−1)`, at most `max_secs`; all in seconds."""

    initial_secs: Number
    factor: Annotated[float, Strict(), Field(ge=1, allow_inf_nan=False)] = 1.0
    max_secs: Number | None = None


class Retry(Definition):
    """How often a phase is tried within one run; `max_attempts` counts the first one."""

    max_attempts: Attempts = 3
    backoff: Backoff | None = None


class DecisionContract(Definition):
    """What a decision must show before its verdict counts."""

    NOT_SUPPORTED = frozenset({"extra_json_schema", "fields"})

    required_evidence: tuple[Filled, ...] = ()
    # 0.6 and medium are the defaults of existing workflow files, which must mean the same here.
    min_confidence: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.6
    max_risk: Risk = Risk.MEDIUM
    allow_missing_decision: Flag = True


class Runtime(Definition):
    """What a phase asks of its provider; goes before the agent profile."""

    NOT_SUPPORTED = _words(
        "tool_profile fallback_models fallback_tools reasoning_effort web_search network_access extra_args "
        "codex_config_overrides max_continuations"
    )

    tool: Id | None = None
    model: Filled | None = None
    timeout_secs: Seconds | None = None
    max_attempts: Attempts | None = None


class CommandSpec(Definition):
    """A program with its arguments, never a shell line. `category` describes and does nothing."""

    NOT_SUPPORTED = _words(
        "parse_json_output expected_result_kind expected_schema failure_pattern confidence failure_risk"
    )

    program: Filled
    args: tuple[Text, ...] = ()
    env: dict[Filled, Text] = Field(default_factory=dict)
    cwd_mode: CwdMode = CwdMode.TASK_ROOT
    cwd_path: Filled | None = None
    timeout_secs: Seconds | None = None
    # 0 to 255 is what a process can say (wait(2)); death by a signal is never a success.
    success_exit_codes: Annotated[tuple[Annotated[int, Strict(), Field(ge=0, le=255)], ...], Field(min_length=1)] = (0,)
    on_success_verdict: Verdict | None = None
    on_failure_verdict: Verdict | None = None
    excerpt_max_chars: Annotated[int, Strict(), Field(ge=0, le=1_000_000)] | None = None
    category: Text | None = None


class PhaseDefinition(Definition):
    """What a phase does. `mode` decides which of the other keys mean anything."""

    NOT_SUPPORTED = _words("skills capabilities output_contract output_json_schema manual evals skip_if budget")

    mode: PhaseMode
    name: Text | None = None
    description: Text | None = None
    agent: Id | None = Field(default=None, validation_alias=AliasChoices("agent", "agent_id"))
    directive: Text | None = None
    system_prompt: Text | None = None
    command: CommandSpec | None = None
    decision_contract: DecisionContract | None = None
    retry: Retry | None = None
    idempotency: Idempotency = Idempotency.UNKNOWN
    runtime: Runtime = Field(default_factory=Runtime)
    default_tool: Id | None = None
    worktree: NoWorktree | None = None


def _one_model(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > 1:
        hint = "keep one name"
        raise PydanticCustomError("not_supported", "fallback models are not supported yet", {"hint": hint})
    return names


class AgentProfile(Definition):
    """Who works: the provider (`tool`), its model and its system prompt.

    `model` and the one name in `models` may be a name of the top-level `models`. `role` describes and does nothing.
    """

    NOT_SUPPORTED = Runtime.NOT_SUPPORTED | _words(
        "persona memory communication mcp_servers tool_policy skills capabilities mcp_server_configs "
        "project_overrides approval_policy"
    )

    name: Text | None = None
    description: Text | None = None
    role: Text | None = None
    tool: Id | None = None
    model: Filled | None = None
    models: Annotated[tuple[Filled, ...], AfterValidator(_one_model)] = ()
    system_prompt: Text | None = None
    system_prompt_file: Filled | None = None
    timeout_secs: Seconds | None = None
    max_attempts: Attempts | None = None


class ModelProfile(Definition):
    """A name for a model, and the provider (`tool`) that serves it."""

    name: Text | None = None
    description: Text | None = None
    model: Filled
    tool: Id | None = None


class DaemonBlock(Definition):
    """Settings of the daemon that live with the project; None = not set here. Later files win field by field."""

    NOT_SUPPORTED = _words(
        "active_hours auto_run_ready phase_routing mcp max_task_retries retry_cooldown_secs auto_merge auto_pr "
        "auto_commit_before_merge auto_prune_worktrees"
    )

    interval_secs: Seconds | None = None
    pool_size: Annotated[int, Strict(), Field(ge=1, le=1000)] | None = Field(
        # `max_agents` is the older spelling, which existing files have.
        default=None,
        validation_alias=AliasChoices("pool_size", "max_agents"),
    )


D_co = TypeVar("D_co", bound=Definition, covariant=True)


@dataclass(frozen=True)
class Defined(Generic[D_co]):
    """A definition with its id as written and the piece of YAML it came from."""

    id: str
    value: D_co
    located: Located

    @property
    def place(self) -> SourceLocation:
        """Where it begins."""
        return self.located.place

    def place_of(self, *path: str | int) -> SourceLocation:
        """Where the value under `path` is, or the nearest enclosing one that was written."""
        return self.located.find(*path).place


@dataclass(frozen=True)
class WorkflowSet:
    """Everything the project's files define, keyed by lower-case id (lookup ignores case).

    `prompts`: the text of each `system_prompt_file`, by lower-case agent id. `sources`: each file that was read.
    """

    default_workflow_ref: str | None = None
    default_place: SourceLocation | None = None
    workflows: Mapping[str, Defined[WorkflowDefinition]] = field(default_factory=dict)
    phases: Mapping[str, Defined[PhaseDefinition]] = field(default_factory=dict)
    agents: Mapping[str, Defined[AgentProfile]] = field(default_factory=dict)
    models: Mapping[str, Defined[ModelProfile]] = field(default_factory=dict)
    daemon: DaemonBlock = field(default_factory=DaemonBlock)
    prompts: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[SourceFile, ...] = ()
    warnings: tuple[Issue, ...] = ()

    def workflow(self, ref: str) -> Defined[WorkflowDefinition] | None:
        """The workflow `ref`, whatever its case."""
        return self.workflows.get(ref.lower())

    def phase(self, phase_id: str) -> Defined[PhaseDefinition] | None:
        """The phase `phase_id`, else the phase `default` if there is one."""
        return self.phases.get(phase_id.lower()) or self.phases.get("default")
