"""The report as JUnit XML: what CI systems show beside other tests.

Below it lies the standard library's ElementTree. One test case a check, its level as the class. What decides and fails
is a failure, what decides and is unproven an error, so that neither turns a build green; everything else that did not
pass is skipped, with its reason.
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as Xml

from animus_conformance.judgement import Report
from animus_conformance.report.text import printable
from animus_conformance.verdict import CheckOutcome, CheckVerdict

__all__ = ["as_junit"]

_DECIDING: Final = {CheckVerdict.FAIL: "failure", CheckVerdict.UNPROVEN: "error"}
_SKIPPED: Final = "skipped"


def as_junit(report: Report) -> str:
    """The whole document; characters that XML does not allow are spelled out."""
    name = str(report.plugin.get("name") or report.command[0])
    suite = Xml.Element("testsuite", name=printable(f"animus-conformance: {name}"))
    properties = Xml.SubElement(suite, "properties")
    for key, value in _properties(report).items():
        Xml.SubElement(properties, "property", name=key, value=printable(value))
    tags = [_case(suite, report, outcome) for outcome in report.outcomes]
    suite.attrib.update(
        tests=str(len(tags)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count(_SKIPPED)),
        time=f"{sum(outcome.seconds for outcome in report.outcomes):.3f}",
    )
    root = Xml.Element("testsuites", suite.attrib)
    root.append(suite)
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _properties(report: Report) -> dict[str, str]:
    return {
        "plugin": str(report.plugin.get("name") or ""),
        "version": str(report.plugin.get("version") or ""),
        "kind": report.kind,
        "restriction": report.restriction,
        "reached": report.highest or "none",
        "profile": report.profile,
        "seed": str(report.seed),
        **{level.value: verdict.value for level, verdict in report.levels.items()},
    }


def _case(suite: Xml.Element, report: Report, outcome: CheckOutcome) -> str:
    """Add the test case; the name of the element that tells its end, empty for a pass."""
    case = Xml.SubElement(
        suite,
        "testcase",
        classname=f"{report.kind}.{outcome.level}",
        name=outcome.id,
        time=f"{outcome.seconds:.3f}",
    )
    if outcome.verdict is CheckVerdict.PASS:
        return ""
    tag = _DECIDING.get(outcome.verdict, _SKIPPED) if report.decides(outcome) else _SKIPPED
    advice = "" if report.decides(outcome) else f" ({outcome.strength}, advice)"
    element = Xml.SubElement(case, tag, message=printable(f"{outcome.verdict}{advice}: {outcome.reason}"))
    if tag != _SKIPPED:
        element.set("type", outcome.verdict.value)
        element.text = printable(f"{outcome.reason}\n\n{outcome.evidence}\n\nagain: {outcome.reproduction}")
    elif outcome.evidence and advice:
        Xml.SubElement(case, "system-out").text = printable(outcome.evidence)
    return tag
