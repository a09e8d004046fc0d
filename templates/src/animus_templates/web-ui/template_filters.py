"""Leads plain cookiecutter, which looks for extensions beside `cookiecutter.json`, to those of all templates."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from animus_templates.filters import Filters

__all__ = ["Filters"]
