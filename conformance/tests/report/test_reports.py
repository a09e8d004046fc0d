"""Every format says what happened, whatever a plugin wrote into its texts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_conformance.errors import UsageMistake
from animus_conformance.judgement import Report
from animus_conformance.report.badge import as_badge
from animus_conformance.report.document import as_json
from animus_conformance.report.files import FORMATS, require_writable, write_reports
from animus_conformance.report.html import as_html
from animus_conformance.report.junit import as_junit
from animus_conformance.report.terminal import Terminal
from animus_conformance.report.text import printable
from animus_conformance.verdict import CheckVerdict, Level


class Page(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(xml: str | bytes) -> Xml.Element:
    return Xml.fromstring(xml)  # noqa: S314 - it was written here, by the code under test


def test_json_keeps_every_text_as_it_was(report: Report, tmp_path: Path) -> None:
    write_reports(report, {"json": tmp_path / "report.json"})
    read = json.loads((tmp_path / "report.json").read_bytes())
    assert [(one["id"], one["reason"], one["evidence"]) for one in read["checks"]] == [
        (one.id, one.reason, one.evidence) for one in report.outcomes
    ]
    assert read["plugin"] == dict(report.plugin)
    assert read["levels"] == {"L0": "pass", "L2": "pass", "L3": "fail"}
    assert (read["reached"], read["complete"], read["strict"], read["seed"]) == ("L2", True, False, 7)


def test_junit_has_a_case_a_check_and_turns_red_for_what_decides(report: Report) -> None:
    suite = parsed(as_junit(report).encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [one.id for one in report.outcomes]
    assert [[child.tag for child in case] for case in cases] == [
        [],
        ["skipped"],
        ["skipped", "system-out"],
        ["skipped"],
        ["failure"],
        ["error"],
    ]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "errors": "1",
        "skipped": "3",
    }
    failure = cases[4].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "again: animus-conformance run --only hostile.big-frames" in failure.text
    assert "\\x00\\x1b[31m\\ud800\\uffff\\u202e" in failure.text
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["reached"] == "L2"
    assert properties["L3"] == "fail"


def test_strict_makes_advice_decide(report: Report) -> None:
    strict = replace(report, strict=True)
    suite = parsed(as_junit(strict).encode()).find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "2"


@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "Cn", "Co", "Po", "Lu")) | st.sampled_from("<&>\"']")))
def test_any_text_can_stand_in_xml_and_utf_8(text: str) -> None:
    shown = printable(text)
    root = Xml.Element("text", attribute=shown)
    root.text = shown
    read = parsed(Xml.tostring(root, encoding="utf-8"))
    assert read.text == (shown or None)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)


def test_the_page_shows_everything_and_needs_nothing(report: Report) -> None:
    text = as_html(report)
    text.encode("utf-8")
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "b:tag"}
    assert not [attributes for _, attributes in page.elements if "src" in attributes or "href" in attributes]
    assert "url(" not in text
    articles = [attributes for tag, attributes in page.elements if tag == "article"]
    assert [one["id"] for one in articles] == [one.id for one in report.outcomes]
    assert "animus-<nasty>" in page.text
    assert "& <b>tag</b> ]]> \\x00\\x1b[31m" in page.text
    assert "Level L2 is reached." in " ".join(page.text.split())


def test_the_page_filters_by_every_verdict_that_there_is(report: Report) -> None:
    text = as_html(report)
    boxes = {str(attributes["id"]) for tag, attributes in Page(text).elements if tag == "input"}
    assert boxes == {f"show-{verdict}" for verdict in CheckVerdict}
    for verdict in CheckVerdict:
        assert f"#show-{verdict}:not(:checked)) article.is-{verdict} " in text


def test_the_page_opens_with_what_needs_attention_and_with_everything_where_nothing_does(report: Report) -> None:
    def shown(one: Report) -> set[str]:
        boxes = [attributes for tag, attributes in Page(as_html(one)).elements if tag == "input"]
        return {str(attributes["id"]).removeprefix("show-") for attributes in boxes if "checked" in attributes}

    assert shown(report) == {"fail", "unproven", "expected-failure"}
    passed = [one for one in report.outcomes if one.verdict not in (CheckVerdict.FAIL, CheckVerdict.UNPROVEN)]
    assert shown(replace(report, outcomes=passed)) >= {"pass", "not-advertised"}


def test_only_what_did_not_pass_has_a_transcript_on_the_page(report: Report) -> None:
    page = Page(as_html(report))
    assert sum(tag == "details" for tag, _ in page.elements) == 5


@pytest.mark.parametrize("level", [None, *Level])
def test_a_badge_names_the_level_in_a_colour_of_its_own(report: Report, level: Level | None) -> None:
    levels = {one: CheckVerdict.PASS if level is not None and one <= level else CheckVerdict.FAIL for one in Level}
    svg = as_badge(replace(report, levels=levels))
    root = parsed(svg)
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["animus", level or "none"]
    right = max(
        float(one.get("x", 0)) + float(one.get("textLength", 0))
        for one in root.iter("{http://www.w3.org/2000/svg}text")
    )
    assert right < float(root.get("width", 0))


def test_badges_of_different_levels_differ(report: Report) -> None:
    badges = [as_badge(replace(report, levels={level: CheckVerdict.PASS})) for level in Level]
    fills = {tuple(re.findall(r'fill="(#\w+)"', badge)) for badge in badges}
    assert len(fills) == len(Level)


def test_a_run_of_some_checks_is_not_called_a_level(report: Report) -> None:
    some = replace(report, complete=False)
    assert some.highest is None
    assert "partial" in as_badge(some)
    assert json.loads(as_json(some))["reached"] is None
    assert "says nothing about a level" in as_html(some)


def test_a_report_replaces_the_old_one_whole_and_keeps_its_mode(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link.html"
    link.symlink_to(path)
    write_reports(report, {"html": link})
    assert link.is_symlink()
    assert path.read_text("utf-8") == as_html(report)
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.html", "report.html"]


def test_all_formats_are_written_side_by_side(report: Report, tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in FORMATS}
    require_writable(paths)
    assert list(tmp_path.iterdir()) == []
    write_reports(report, paths)
    assert all(path.stat().st_size for path in paths.values())


def test_a_path_that_cannot_be_written_is_notifications_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "report", tmp_path / "no" / "report", tmp_path):
        with pytest.raises(UsageMistake, match=rf"^--junit: {re.escape(str(path))} cannot be written: "):
            require_writable({"junit": path})


def shown(report: Report, *, on_terminal: bool, **options: bool) -> str:
    out = StringIO()
    out.isatty = lambda: on_terminal  # type: ignore[method-assign]  # the one thing that the writer asks of a terminal
    terminal = Terminal(out, **options)
    for outcome in report.outcomes:
        terminal.outcome(outcome)
    terminal.end(report)
    return out.getvalue()


def test_a_pipe_gets_plain_lines_and_no_control_character_of_the_plugin(report: Report) -> None:
    text = shown(report, on_terminal=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202e]", text)
    assert "      second line" in text
    assert text.endswith("reached L2\n")


def test_a_terminal_gets_colours_of_ours_alone(report: Report) -> None:
    text = shown(report, on_terminal=True)
    assert "\x1b[31mFAIL    \x1b[0m hostile.big-frames" in text
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", text)
    assert set(re.findall("\x1b[^mK]*[mK]", text)) <= {
        f"\x1b[{code}" for code in ("K", "0m", "31m", "32m", "33m", "36m")
    }


def test_quiet_leaves_out_what_needs_no_attention(report: Report) -> None:
    text = shown(report, on_terminal=False, quiet=True)
    assert "manifest.prints-one-object" not in text
    assert "audit.advertised-methods-answer" not in text
    assert "hostile.big-frames" in text


def test_a_long_transcript_is_cut_on_the_terminal_and_says_so(report: Report) -> None:
    long = replace(report.outcomes[4], evidence="\n".join(f"line {number}" for number in range(500)))
    text = shown(replace(report, outcomes=[long]), on_terminal=False)
    assert "(460 lines before these are in the reports)" in text
    assert "| line 499\n" in text
    assert "| line 459\n" not in text
