"""Sub-workflows: are they sound (`survey`), and what one workflow comes to when they stand inline (`expand`).

Below lie `definitions` and `issues`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from animus_core.workflow.definitions import Defined, PhaseEntry, WorkflowDefinition, WorkflowSet
from animus_core.workflow.issues import Issue, shown

__all__ = ["Reach", "Step", "expand", "find_target", "survey"]

# Sub-workflows that stand inline twice each double with every level: without bounds a small file fills the memory.
MAX_PHASES: Final = 500
MAX_NESTING: Final = 20


@dataclass
class Reach:
    """What a workflow comes to: its phases, how deep it nests, and whether all of it is known."""

    phases: int = 0
    nesting: int = 1
    ids: set[str] = field(default_factory=set)
    complete: bool = True

    def count(self, phase_id: str | None) -> None:
        """Count one phase of the workflow's own."""
        self.phases += 1
        self.ids.add((phase_id or "").lower())

    def give_up(self) -> None:
        """What the workflow comes to cannot be known, or was reported already."""
        self.complete = False

    def include(self, inner: Reach | None) -> None:
        """Count a sub-workflow in; None = it is not known or leads back here."""
        if inner is None or not inner.complete:
            self.give_up()
            return
        self.phases += inner.phases
        self.nesting = max(self.nesting, inner.nesting + 1)
        self.ids |= inner.ids


@dataclass(frozen=True)
class Step:
    """One phase of an expanded workflow. `reachable` is the slice of steps that its transitions may reach."""

    id: str
    entry_id: str
    entry: PhaseEntry
    workflow: Defined[WorkflowDefinition]
    reachable: range


def survey(workflows: WorkflowSet) -> tuple[Mapping[str, Reach], list[Issue]]:
    """The reach of each workflow by lower-case id, and the circles and excesses among them.

    Each circle is reported once, at the entry that closes it.
    """
    walk = _Survey(workflows)
    for key in workflows.workflows:
        walk.visit(key)
    return walk.reach, walk.issues


class _Survey:
    """A depth-first walk without recursion, since the files decide how deep it goes."""

    def __init__(self, workflows: WorkflowSet) -> None:
        self.workflows = workflows
        self.reach: dict[str, Reach] = {}
        self.issues: list[Issue] = []
        self.path: dict[str, tuple[Reach, Iterator[tuple[int, PhaseEntry]]]] = {}

    def enter(self, key: str) -> None:
        entries = self.workflows.workflows[key].value.phases
        self.path[key] = (Reach(), iter(enumerate(entries)))

    def visit(self, root: str) -> None:
        if root not in self.reach:
            self.enter(root)
        while self.path:
            # A dict keeps its order, so it is a stack that also answers quickly what is on it.
            key = next(reversed(self.path))
            inner = self.step(key)
            if inner is not None:
                self.enter(inner)
                continue
            self.reach[key], _ = self.path.pop(key)
            self.issues += _excess(self.workflows.workflows[key], self.reach[key])
            if self.path:
                self.path[next(reversed(self.path))][0].include(self.reach[key])

    def step(self, key: str) -> str | None:
        """Go on through the entries of `key`; the sub-workflow to enter next, None when all are counted."""
        here, entries = self.path[key]
        for index, entry in entries:
            if entry.workflow_ref is None:
                here.count(entry.id)
                continue
            inner = entry.workflow_ref.lower()
            if inner in self.path:
                self.issues.append(_circle(self.workflows, list(self.path), inner, index))
                here.give_up()
            elif inner in self.reach or inner not in self.workflows.workflows:
                here.include(self.reach.get(inner))
            else:
                return inner
        return None


def _circle(workflows: WorkflowSet, path: list[str], closing: str, index: int) -> Issue:
    circle = [*path[path.index(closing) :], closing]
    names = " → ".join(workflows.workflows[key].id for key in circle)
    place = workflows.workflows[path[-1]].place_of("phases", index)
    return Issue.at(place, f"circular sub-workflow reference: {names}", "remove one `workflow_ref` of the circle")


def _excess(workflow: Defined[WorkflowDefinition], reach: Reach) -> list[Issue]:
    too_much = None
    if reach.phases > MAX_PHASES:
        too_much = f"comes to more than {MAX_PHASES} phases"
    elif reach.nesting > MAX_NESTING:
        too_much = f"nests sub-workflows deeper than {MAX_NESTING} levels"
    if too_much is None or not reach.complete:
        return []
    # Once is enough: the workflows that include this one do not repeat it.
    reach.give_up()
    return [Issue.at(workflow.place, f"the workflow {shown(workflow.id)} {too_much}", "split it into several runs")]


def expand(workflows: WorkflowSet, root: Defined[WorkflowDefinition]) -> list[Step]:
    """The phases of `root` in order, sub-workflows inline, each with its id in the plan. `workflows` is sound."""
    steps: list[Step] = []
    taken: set[str] = set()
    _append(workflows, root, root, steps, taken)
    return steps


def _append(
    workflows: WorkflowSet,
    root: Defined[WorkflowDefinition],
    here: Defined[WorkflowDefinition],
    steps: list[Step],
    taken: set[str],
) -> None:
    start, own = len(steps), []  # the places of this workflow's own phases
    for entry in here.value.phases:
        if entry.workflow_ref is not None:
            _append(workflows, root, workflows.workflows[entry.workflow_ref.lower()], steps, taken)
        elif entry.id is not None:
            phase = workflows.phases.get(entry.id.lower())
            # As the definition spells it: lookup ignores case, and a plan has one spelling.
            name = entry.id if phase is None else phase.id
            own.append(len(steps))
            steps.append(Step(_free_id(name, None if here is root else here.id, taken), name, entry, here, range(0)))
    # Only now it is known where the workflow ends: its sub-workflows stand between its own phases.
    for place in own:
        steps[place] = replace(steps[place], reachable=range(start, len(steps)))


def _free_id(name: str, workflow: str | None, taken: set[str]) -> str:
    # The workflow's name only where it is needed, so that a phase that is used once keeps its short id.
    base = name if workflow is None or name.lower() not in taken else f"{workflow}/{name}"
    candidate, count = base, 1
    while candidate.lower() in taken:
        count += 1
        candidate = f"{base}#{count}"
    taken.add(candidate.lower())
    return candidate


def find_target(steps: list[Step], position: int, target: str) -> str:
    """The plan's id of the phase that a transition of the step at `position` means by `target`; empty stays empty."""
    if not target:
        return ""
    reachable = steps[position].reachable
    # Backwards first: rework means what was done before, and of two of one name the nearer one.
    before, after = range(position, reachable.start - 1, -1), range(position + 1, reachable.stop)
    named = (index for index in chain(before, after) if steps[index].entry_id.lower() == target.lower())
    return steps[next(named)].id
