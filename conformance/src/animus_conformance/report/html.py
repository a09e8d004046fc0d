"""The report as one HTML page that needs nothing beside it: no script, no font, no address.

Below it lie `page.html.j2` and Jinja2, which escapes everything that a plugin said.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from animus_conformance.judgement import Report
from animus_conformance.report.text import printable
from animus_conformance.requirements.manifest import requirements
from animus_conformance.verdict import CheckVerdict

__all__ = ["as_html"]

_WORDS: Final[Mapping[CheckVerdict, str]] = {
    CheckVerdict.FAIL: "failed",
    CheckVerdict.UNPROVEN: "unproven",
    CheckVerdict.EXPECTED_FAILURE: "expected to fail",
    CheckVerdict.NOT_ADVERTISED: "not advertised",
    CheckVerdict.PASS: "passed",
}
"""What a verdict is called, what wants attention first."""


def as_html(report: Report) -> str:
    """The whole page."""
    counts = Counter(outcome.verdict for outcome in report.outcomes)
    return _template().render(
        report=report,
        name=report.plugin.get("name") or report.command[0],
        version=report.plugin.get("version") or "",
        command=shlex.join(report.command),
        seconds=sum(outcome.seconds for outcome in report.outcomes),
        verdicts=[(verdict, word, counts[verdict]) for verdict, word in _WORDS.items() if counts[verdict]],
        words=_WORDS,
        requirements=requirements(),
    )


@cache
def _template() -> Template:
    # Strict: a misspelled name in the template is an error then, and not an empty place on the page.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["printable"] = lambda value: printable(str(value))
    source = files("animus_conformance.report").joinpath("page.html.j2").read_text("utf-8")
    return environment.from_string(source)
