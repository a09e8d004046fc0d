"""Animus plugins to begin with: one cookiecutter a kind, and what makes projects of them.

    from animus_templates import render

    render("subject", "my-tickets", Path("."))

The folders beside this file are the templates; each of
them is a plain cookiecutter, too.
"""

from __future__ import annotations

from animus_templates.compare import ChangedFile, accept, check
from animus_templates.errors import BadAnswer, BadRecord, ProjectExists, TemplatesError
from animus_templates.names import KINDS, LICENSES
from animus_templates.rendering import render

__all__ = [
    "KINDS",
    "LICENSES",
    "BadAnswer",
    "BadRecord",
    "ChangedFile",
    "ProjectExists",
    "TemplatesError",
    "accept",
    "check",
    "render",
]
