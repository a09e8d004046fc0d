"""What a command prints for people carries nothing that their terminal would obey; programs get it as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from animus_core.cli.main import main
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


@pytest.mark.parametrize("words", [["version"], ["--version"], ["version", "--json"]])
@pytest.mark.parametrize(("redirected", "why"), [(">/dev/full", "No space left"), (">&-", "standard output is closed")])
def test_a_result_that_cannot_be_printed_is_no_fault_of_animus(words: list[str], redirected: str, why: str) -> None:
    line = " ".join(["exec", '"$0"', *words, redirected])
    program = str(Path(sys.executable).with_name("animus"))
    done = subprocess.run(["sh", "-c", line, program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 5
    assert why in done.stderr
    assert "fault of animus" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if "--json" in words else 2)


def test_a_number_of_seconds_is_one_that_the_protocol_can_carry(capsys: pytest.CaptureFixture[str]) -> None:
    for text in (str(2**32), "9" * 400, "9" * 5000):
        assert main(["daemon", "stop", "--drain-secs", text]) == 2
        assert "is not a whole number of seconds, 0 to 4294967295" in capsys.readouterr().err
