"""The workflow file that `animus init` writes: small, commented, ready to run with the mock provider.

The text is package data (`templates/workflows.yaml`); nothing lies below.
"""

from __future__ import annotations

from importlib import resources

__all__ = ["starter_workflows"]


def starter_workflows() -> str:
    """The text of a new project's `.animus/workflows.yaml`, with one workflow `deliver`."""
    template = resources.files("animus_core.workflow") / "templates" / "workflows.yaml"
    return template.read_text(encoding="utf-8")
