"""The three ways to write an entry of `workflows[].phases`, brought to one.

`- build`, `- review: {…}` and `- id: review` become a mapping with `id`; `- workflow_ref: other` stays as it is. Below
lie `issues` and `located`.
"""

from __future__ import annotations

from dataclasses import replace

from animus_core.workflow.issues import Issue, shown
from animus_core.workflow.located import Located

__all__ = ["normalise_entries"]


def normalise_entries(workflow: Located) -> tuple[Located, list[Issue]]:
    """The workflow with every entry in the same form; those that have none are reported."""
    phases = (workflow.fields or {}).get("phases")
    if workflow.fields is None or phases is None or phases.items is None:
        return workflow, []
    entries: list[Located] = []
    issues: list[Issue] = []
    for item in phases.items:
        result = _entry(item)
        if isinstance(result, Issue):
            issues.append(result)
            # In its place and not left out: the entries behind it keep their numbers, and so their lines in messages.
            entries.append(Located(item.place, refused=True))
        else:
            entries.append(result)
    return replace(workflow, fields={**workflow.fields, "phases": replace(phases, items=entries)}), issues


def _entry(item: Located) -> Located | Issue:
    if isinstance(item.value, str):
        return Located(item.place, fields={"id": item})
    if not item.fields:
        return Issue.at(item.place, "this entry names no phase", "write a phase id, or `workflow_ref: …`")
    named = item.fields.get("id")
    # `id: {…}` is the map form for a phase that is called `id`; only an `id` with a text names the phase.
    if "workflow_ref" in item.fields or (named is not None and named.fields is None):
        return item
    (name, options), *others = item.fields.items()
    # The usual slip: YAML reads options at the entry's own indentation as more keys of the entry.
    if others:
        message = f"the entry {shown(name)} is followed by {shown(others[0][0])} at the same indentation"
        return Issue.at(others[0][1].place, message, f"indent the options below {shown(name + ':')}")
    if options.fields is None and not options.is_null:
        return Issue.at(item.place, f"the options of {shown(name)} are not a mapping", "write `key: value` below it")
    for key in ("id", "workflow_ref"):
        if key in (options.fields or {}):
            place = options.find(key).place
            return Issue.at(place, f"{shown(key)} stands inside the entry {shown(name)}", "remove it")
    # The place of the entry, so that a mistake in it is shown where the entry begins.
    return Located(item.place, fields={**(options.fields or {}), "id": Located(item.place, value=name)})
