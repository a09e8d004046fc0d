"""What every service works with: one project's scope, database, plugins, and how its workflows are read.

Below lie the store, the plugins that are supervised, and the workflow files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.queue import Queue
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.daemon.state import CoreState
from animus_core.errors import InvalidInput
from animus_core.kinds.fleet import Fleet
from animus_core.kinds.providers import package_of, tools_served
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_core.store.project_config import default_subject_kind
from animus_core.supply.discovery.discover import Discovery
from animus_core.supply.distributions import how_to_install
from animus_core.supply.trust.trust import TrustCheck
from animus_core.workflow.definitions import WorkflowSet
from animus_core.workflow.load import load_workflows
from animus_core.workflow.plan import Plan, build_plan, providers_needed

__all__ = ["Project", "missing_providers"]


def missing_providers(plan: Plan, discovery: Discovery) -> list[str]:
    """The tools that a plan needs and nothing installed serves."""
    return sorted(providers_needed(plan) - tools_served(discovery))


@dataclass
class Project:
    """One project at work. `rediscover` says which plugins there are now; without it those of the start stay."""

    scope: Scope
    database: Database
    discovery: Discovery
    router: SubjectRouter
    rediscover: Callable[[], Awaitable[Discovery]] | None = None
    commit_signal: CommitSignal = field(default_factory=CommitSignal)

    def __post_init__(self) -> None:
        self.queue = Queue(self.database)
        self.state = CoreState(self.scope)
        self.trust = TrustCheck(self.scope.root.parent, self.scope.project_root)

    @property
    def fleet(self) -> Fleet:
        """The supervised plugins."""
        return self.router.fleet

    async def refresh(self) -> None:
        """Take over what has been installed or removed meanwhile. What runs unchanged is not touched."""
        if self.rediscover is None:
            return
        found = await self.rediscover()
        # The same object while nothing changed (`CachedDiscovery`): a refresh before each operation costs a few stats.
        if found is not self.discovery:
            self.discovery = found
            await self.fleet.replace(found)
            # After the fleet: claims are read from the plugins that it has now.
            self.router.reload()

    def default_subject_kind(self) -> str:
        """The kind of subjects that is meant where none is named. Raises InvalidInput for a broken `config.json`."""
        return default_subject_kind(self.scope.project_root)

    async def workflows(self) -> WorkflowSet:
        """The project's workflows as the files say now, trusted or not: not to be executed. Raises InvalidWorkflow."""
        return await asyncio.to_thread(self._load)

    async def trusted_workflows(self) -> WorkflowSet:
        """The project's workflows, to be executed. Raises NotTrusted unless every byte is trusted; InvalidWorkflow."""
        # The trust check reads around the loader, and compares the hashes of what was parsed (docs/adr/0006).
        return await asyncio.to_thread(self.trust.load, self._load, _hashes)

    async def plan_for(self, entry: QueueEntry) -> Plan:
        """What a run of `entry` executes. Raises NotTrusted; InvalidInput or UnknownName for people to read."""
        await self.refresh()
        return self.plan(await self.trusted_workflows(), entry.workflow_ref, entry.read_dispatch().vars)

    def plan(self, workflows: WorkflowSet, workflow_ref: str, variables: Mapping[str, str]) -> Plan:
        """The plan of a workflow with these variables, if everything it needs is installed.

        Raises UnknownName (the workflow), InvalidInput (variables that are missing, a provider that is not installed).
        """
        plan = build_plan(workflows, workflow_ref, variables)
        missing = missing_providers(plan, self.discovery)
        if missing:
            served = ", ".join(sorted(tools_served(self.discovery))) or "none"
            raise InvalidInput(
                f"workflow {plan.workflow_ref!r} needs the provider {missing[0]!r}, which is not installed "
                f"(installed: {served})",
                hint=f"Name another `tool`, or install it: {how_to_install(package_of(missing[0]))}",
            )
        return plan

    def _load(self) -> WorkflowSet:
        return load_workflows(self.scope.project_root, dict(os.environ))


def _hashes(workflows: WorkflowSet) -> Iterator[str]:
    return (source.sha256 for source in workflows.sources)
