"""Where the commands look for plugins: the operator's configuration, and the project that a command is about."""

from __future__ import annotations

import argparse
import os

from animus_core.cli.connection import scope_of
from animus_core.services.plugins import PluginLocations
from animus_core.store.paths import config_dir

__all__ = ["locations_of"]


def locations_of(args: argparse.Namespace) -> PluginLocations:
    """The places of `--project-root`, of the Git repository around, or of this directory. Raises InvalidInput."""
    return PluginLocations(config_dir(os.environ), scope_of(args).project_root)
