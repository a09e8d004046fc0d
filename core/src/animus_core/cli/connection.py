"""What every command begins with: the scope that it is about. Below lie the paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from animus_core.store.paths import Scope, project_root

if TYPE_CHECKING:
    import argparse

__all__ = ["scope_of"]


def scope_of(args: argparse.Namespace) -> Scope:
    """The scope of `--project-root`, of the Git repository around, or of this directory. Raises InvalidInput."""
    root = project_root(getattr(args, "project_root", None), Path.cwd())
    return Scope.of(root, os.environ)
