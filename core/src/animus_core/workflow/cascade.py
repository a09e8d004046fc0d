"""The provider of an agent phase: its runtime, then the agent profile, then its `default_tool`, field by field.

Below lies `definitions`.
"""

from __future__ import annotations

from dataclasses import dataclass

from animus_core.workflow.definitions import AgentProfile, Defined, ModelProfile, PhaseDefinition, WorkflowSet

__all__ = ["ResolvedProvider", "agent_of", "resolve_provider"]


@dataclass(frozen=True)
class ResolvedProvider:
    """The answer for one phase; `tool` None means that nothing names a provider."""

    agent: Defined[AgentProfile] | None
    tool: str | None
    model: str | None


def agent_of(workflows: WorkflowSet, phase: PhaseDefinition) -> Defined[AgentProfile] | None:
    """The agent that the phase names, else the agent `default`; None when it is not defined."""
    return workflows.agents.get((phase.agent or "default").lower())


def resolve_provider(workflows: WorkflowSet, phase: PhaseDefinition) -> ResolvedProvider:
    """Tool and model of an agent phase.

    A model that is a name of the top-level `models` stands for that entry; the entry's tool counts unless the same
    level (phase, agent) or one before it names a tool.
    """
    agent = agent_of(workflows, phase)
    levels: list[tuple[str | None, str | None]] = [(phase.runtime.tool, phase.runtime.model)]
    if agent is not None:
        profile = agent.value
        levels.append((profile.tool, profile.model or next(iter(profile.models), None)))
    tool: str | None = None
    model: str | None = None
    for level_tool, level_model in levels:
        entry = _entry(workflows, level_model)
        # Field by field, the nearest level first: an agent's tool may be used with the phase's own model.
        if model is None:
            model = level_model if entry is None else entry.model
        tool = tool or level_tool or (None if entry is None else entry.tool)
    # Last of all: it is what the phase falls back on, and not what it asks for.
    return ResolvedProvider(agent, tool or phase.default_tool, model)


def _entry(workflows: WorkflowSet, name: str | None) -> ModelProfile | None:
    found = None if name is None else workflows.models.get(name.lower())
    return None if found is None else found.value
