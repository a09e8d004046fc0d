"""A plugin while its author works on it: `target` → `workbench`, which shows a `trace` and notices `changes`."""
