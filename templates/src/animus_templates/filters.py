"""The Jinja filters of the templates: names, checked answers, and quotes.

Loaded by cookiecutter as an extension (`_extensions` in each `cookiecutter.json`); below it lies `names.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jinja2 import Environment
from jinja2.ext import Extension

from animus_templates.names import camel, line, slug

__all__ = ["EXTENSION", "Filters", "python", "quoted"]

EXTENSION: Final = f"{__name__}.Filters"
"""How cookiecutter finds this extension where this package can be imported."""

_IMPORT_FOLDER: Final = Path(__file__).parents[1]


def quoted(text: str) -> str:
    """`text` as a literal that TOML, JSON and Jinja read alike."""
    return json.dumps(text, ensure_ascii=False)


def python(text: str) -> str:
    """`text` as a Python literal, with the quotes that formatters choose: those that need fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


class Filters(Extension):
    """Adds the filters `slug`, `camel`, `line`, `python` and `quoted`, and the global `import_folder` for the hooks."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters |= {"slug": slug, "camel": camel, "line": line, "python": python, "quoted": quoted}
        environment.globals["import_folder"] = str(_IMPORT_FOLDER)
