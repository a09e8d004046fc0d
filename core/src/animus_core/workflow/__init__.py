"""Workflows: the YAML under `.animus/` read, checked and turned into the plan that a run executes.

Read in this order: `load` (files → `WorkflowSet`), `validate` (what the definitions say about each other), `plan`
(`WorkflowSet` → the immutable `Plan`). Nothing here runs, waits or writes; below lie pydantic and PyYAML.
Import from the modules: this package re-exports nothing, so that a reader of plans never loads the YAML parser.
"""
