"""The pytest door: `pytest --animus-plugin="CMD …"` judges a plugin, one test item a check.

Loaded by every pytest of an environment that has this distribution (entry point `pytest11`): it imports pytest alone,
and does nothing without its option. Below it lies `pytest_items.py`, imported once the option is there.
"""

from __future__ import annotations

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; all but the first count only together with it."""
    group = parser.getgroup("animus", "conformance of an Animus plugin")
    group.addoption("--animus-plugin", metavar="COMMAND", help="judge the plugin that this command starts")
    group.addoption("--animus-kind", metavar="KIND", help="what it is judged as (animus-conformance list --help)")
    group.addoption("--animus-level", metavar="LEVEL", help="how deep, L0 to L4; by default L3")
    group.addoption("--animus-config", metavar="FILE", help="by default conformance.toml, where there is one")
    group.addoption("--animus-seed", type=int, metavar="N", help="of the fuzzing; by default a new one, which is shown")
    group.addoption("--animus-patience", type=float, default=1.0, metavar="FACTOR", help="stretches every deadline")


def pytest_configure(config: pytest.Config) -> None:
    """Open the door when a plugin is named. Raises pytest.UsageError for options that cannot be carried out."""
    if config.getoption("animus_plugin") is None:
        return
    from animus_conformance.pytest_items import Door  # the suite is imported only where it is used

    config.pluginmanager.register(Door(config), "animus-conformance-door")
