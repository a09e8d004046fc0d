"""`conformance.toml`: what it may say, and what is said about every mistake in it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from animus_conformance.errors import BadSettings
from animus_conformance.requirements.manifest import requirements
from animus_conformance.settings import FILE_NAME, SuiteSettings, read_settings, settings_for
from animus_conformance.verdict import Level

WHOLE = """
kind = "provider"
level = "L2"
project = "project"
[environment]
pass = ["API_KEY"]
STATE = "state"
[setup]
command = ["git", "init", "-q"]
[stimulus.event]
command = ["touch", "file-{n}"]
[params."agent/run.long"]
prompt = "Count."
[[expected_failures]]
id = "lifecycle.ping"
reason = "being fixed"
expires = 2027-01-31
"""


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / FILE_NAME).write_text(WHOLE)
    settings = read_settings(tmp_path / FILE_NAME)
    assert (settings.kind, settings.level) == ("provider", Level.L2)
    assert (settings.folder, settings.project) == (tmp_path, tmp_path / "project")
    assert (settings.environment, settings.pass_names) == ({"STATE": "state"}, ("API_KEY",))
    assert settings.setup == ("git", "init", "-q")
    assert settings.stimulus == {"event": ("touch", "file-{n}")}
    assert settings.params == {"agent/run.long": {"prompt": "Count."}}
    expected = settings.expected_failures["lifecycle.ping"]
    assert (expected.reason, expected.expires) == ("being fixed", date(2027, 1, 31))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "is no TOML: Invalid value (at end of document)"),
        ('kinds = "subject"', "kinds: unknown; known are environment, expected_failures, kind"),
        ('kind = "tracker"', "kind: 'tracker' is none of subject, provider"),
        ("level = 2", "level: 2 is none of L0, L1"),
        ('project = "nowhere"', "nowhere is not a folder"),
        ("project = 1", "project: expected a text, not 1"),
        ("environment = 1", "environment: expected a table"),
        ("[environment]\nPORT = 80", "environment.PORT: expected a text, not 80"),
        ('[environment]\npass = "KEY"', "environment.pass: expected a list of texts"),
        ('setup = ["git"]', 'setup: expected command = ["program"'),
        ("[setup]\ncommand = []", 'setup: expected command = ["program"'),
        ('[setup]\ncommand = ["git"]\nshell = true', "setup.shell: unknown; known are command"),
        ('[stimulus]\nevent = "touch"', 'stimulus.event: expected command = ["program"'),
        ('[params]\n"agent/run" = 1', "params.agent/run: expected a table"),
        (
            '[params."agent/rum"]\nprompt = "x"',
            "params.agent/rum: no method of the protocol has this name; did you mean 'agent/run",
        ),
        (
            '[params."agent/run.lnog"]\nprompt = "x"',
            "params.agent/run.lnog: no method of the protocol has this name; did you mean 'agent/run.long'?",
        ),
        ('[stimulus.evnt]\ncommand = ["touch"]', "stimulus.evnt: unknown; known are event, subject"),
        ('kind = ["subject"]', "kind: ['subject'] is none of subject, provider"),
        ("expected_failures = 1", "expected_failures number 1: expected a table [[expected_failures]]"),
        ('[[expected_failures]]\nid = "lifecycle.ping"\nreason = "x"', "number 1: expires: expected a date"),
        ('[[expected_failures]]\nexpires = "2027-01-31"', "number 1: expires: expected a date"),
        ("[[expected_failures]]\nexpires = 2027-01-31", "number 1: id: expected a text, not None"),
        ('[[expected_failures]]\nexpires = 2027-01-31\nid = "lifecycle.ping"', "number 1: reason: expected a text"),
        ("[[expected_failures]]\nexpiry = 2027-01-31", "number 1: expiry: unknown; known are expires, id, reason"),
        (
            '[[expected_failures]]\nid = "lifecycle.pin"\nreason = "x"\nexpires = 2027-01-31',
            "number 1: id: no requirement has the id 'lifecycle.pin'; did you mean lifecycle.ping",
        ),
        (
            '[[expected_failures]]\nid = "lifecycle.ping"\nreason = "x"\nexpires = 2027-01-31\n' * 2,
            "number 2: id: lifecycle.ping was named before",
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    with pytest.raises(BadSettings) as mistake:
        read_settings(path)
    assert str(mistake.value).startswith(str(path))
    assert said in str(mistake.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('kind = "custom"\n\n[stimulus.evnt]\ncommand = ["touch"]', 3),
        ('# kind = "x"\nkind = "x"', 2),
        ('[environment]\nA = "kind"\n"B" = 1', 3),
        ("environment.A = 1", 1),
        ('[params]\n[params."agent/run"]\nprompt = "x"\n[params . "agent/rum"]  # no\n', 4),
        (
            "[[expected_failures]]\n"
            + WHOLE[WHOLE.index("id =") :]
            + '[[ expected_failures ]]\nid = "x.y"\nexpires = 2027-01-31',
            6,
        ),
        ('setup = { command = ["git"], shell = true }', 1),
        ("level = 'L2'\n" + '[environment]\nA = """\nkind = 1\n"""\nB = 2', 6),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(BadSettings) as mistake:
        read_settings(tmp_path / FILE_NAME)
    assert str(mistake.value).startswith(f"{tmp_path / FILE_NAME}:{line}: ")


def test_every_table_that_a_requirement_tells_of_may_be_written(tmp_path: Path) -> None:
    texts = " ".join(f"{one.text} {one.fix}" for one in requirements().values())
    tables = set(re.findall(r"\[((?:stimulus|params)\.[^]\s]+)\]", texts))
    assert {"stimulus.event", "stimulus.subject", 'params."agent/run.long"'} <= tables
    (tmp_path / FILE_NAME).write_text("".join(f'[{one}]\ncommand = ["touch"]\n' for one in tables))
    settings = read_settings(tmp_path / FILE_NAME)
    assert len(settings.stimulus) + len(settings.params) == len(tables)


def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'kind = "\xff"')
    with pytest.raises(BadSettings, match="is not UTF-8: invalid start byte at byte 8"):
        read_settings(tmp_path / FILE_NAME)
    with pytest.raises(BadSettings, match="cannot be read: Is a directory"):
        read_settings(tmp_path)


def test_the_first_folder_that_has_settings_gives_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    assert settings_for(None, first, second) == SuiteSettings()
    (second / FILE_NAME).write_text('kind = "notifier"')
    assert settings_for(None, first, second).kind == "notifier"
    (first / FILE_NAME).write_text('kind = "trigger"')
    assert settings_for(None, first, second).kind == "trigger"
    assert settings_for(second / FILE_NAME, first).kind == "notifier"
