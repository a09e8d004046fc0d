"""The second half of every template: the files that all kinds share, and the record of what was rendered.

The hook of each template does the same where plain cookiecutter runs. Below it lie cookiecutter's generator and
`record.py`. The shared files are a template of their own, rendered into the project that is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cookiecutter.generate import generate_files

from animus_templates.filters import EXTENSION
from animus_templates.record import write_record

__all__ = ["finish"]

_SHARED: Final = Path(__file__).with_name("shared")


def finish(context: Mapping[str, Any], project: Path) -> None:
    """Complete `project`, which holds what its kind's template alone has made of `context`."""
    generate_files(
        repo_dir=str(_SHARED),
        context={"cookiecutter": {**context, "_extensions": [EXTENSION]}},
        output_dir=str(project.parent),
        overwrite_if_exists=True,
        accept_hooks=False,
    )
    for compiled in [*project.rglob("__pycache__")]:  # pip compiles what ends in .py, in templates as well
        shutil.rmtree(compiled)
    write_record(project, context["_kind"], context)
