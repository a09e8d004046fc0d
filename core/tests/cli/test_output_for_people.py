"""What a command prints for people carries nothing that their terminal would obey; programs get it as it is."""

from __future__ import annotations

import json

import pytest

from animus_core.cli.output import Output
from animus_core.errors import UnknownName

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m red\u202ered\ttab\nline – ü 👩‍👧"
SHOWN = "\\x1b]0;title\\x07\\x1b[2J\\x9b31m red\\u202ered\ttab\nline – ü 👩‍👧"


def test_results_and_failures_are_shown_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json_mode=False)
    output.result({}, EVIL)
    output.failure(UnknownName(EVIL, hint=EVIL))
    printed = capsys.readouterr()
    assert printed.out == f"{SHOWN}\n"
    assert printed.err == f"animus: {SHOWN}\n{SHOWN}\n"


def test_programs_get_the_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json_mode=True).result({"title": EVIL}, "")
    assert json.loads(capsys.readouterr().out)["data"]["title"] == EVIL
