"""A plugin while its author works on it: `target` → `workbench`, which shows `sightings` and hears of `changes`."""
