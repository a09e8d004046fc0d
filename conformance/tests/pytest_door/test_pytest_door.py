"""`pytest --animus-plugin`: one item a check, selected like any other, and nothing started before it runs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from animus_conformance.pytest_items import kind_in

RUN_S: Final = 50.0
INI: Final = """
[pytest]
addopts = -p no:cacheprovider -p no:hypothesispytest
filterwarnings = error
"""
LOG_STORAGE: Final = Path(__file__).parents[2] / "zoo" / "good" / "log_storage.py"


END_OF_ONE: Final = " ends the output of one pytest\n"
# In one process, as most of a start is spent on imports.
SEVERAL: Final = f"""
import json, sys
import pytest

for arguments in json.loads(sys.argv[1]):
    code = pytest.main(arguments)
    print(f"\\n{{int(code)}}", end={END_OF_ONE!r}, flush=True)
"""


def judged(workplace: Any, *arguments: str, program: Sequence[str] = ("-m", "pytest")) -> tuple[int, str]:
    """pytest in the workplace: its exit code, and what it printed."""
    (workplace.folder / "pytest.ini").write_text(INI)
    environment = {**workplace.environment, "PYTHONWARNINGS": ""}
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=workplace.folder,
        env={name: value for name, value in environment.items() if not name.startswith("PYTEST_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    assert "INTERNALERROR" not in done.stdout, done.stdout
    assert list(workplace.temporary.glob("animus-*")) == [], done.stdout
    return done.returncode, done.stdout


def naming(command: Sequence[str], *more: str) -> list[str]:
    return ["--animus-plugin", shlex.join(command), "--animus-kind", "custom", *more]


def test_items_are_listed_without_starting_anything(workplace: Any) -> None:
    workplace.program("animus-provider-untouched", "#!/bin/sh\ntouch started\n")
    code, out = judged(workplace, "--animus-plugin", "./animus-provider-untouched", "--collect-only", "-q")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "animus::manifest.prints-one-object"
    assert "animus::audit.advertised-methods-answer" in lines
    assert not [line for line in lines if line.startswith("animus::log-storage.")]
    assert not list(workplace.folder.rglob("started"))


def test_a_good_plugin_passes_beside_the_tests_of_its_author(workplace: Any, good: Sequence[str]) -> None:
    (workplace.folder / "test_own.py").write_text(
        "import anyio\nimport pytest\n\n@pytest.mark.anyio\nasync def test_own(anyio_backend_name):\n"
        "    await anyio.lowlevel.checkpoint()\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    code, out = judged(workplace, *naming(good, "--animus-level", "L0", "--animus-seed", "5"))
    assert code == 0, out
    assert "animus: " in out
    assert "as custom, seed 5" in out
    assert "test_own.py ." in out
    assert "collected 0 items" not in out


def test_one_worker_of_xdist_carries_out_all_checks(workplace: Any, good: Sequence[str]) -> None:
    code, out = judged(workplace, *naming(good), "-n", "2", "-v", "-k", "lifecycle.ping or wire.utf")
    assert code == 0, out
    assert "2 passed" in out
    workers = {line.split("]")[0] for line in out.splitlines() if line.startswith("[gw") and "PASSED" in line}
    assert len(workers) == 1


def test_a_failure_shows_what_happened_and_nothing_of_the_suite(
    workplace: Any, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    command = naming(mutant("lifecycle.ping", "lifecycle"))
    code, out = judged(workplace, *command, "-x", "animus::lifecycle.ping", "animus::lifecycle.health-check")
    assert code == 1
    assert "fail: $/ping was refused: error" in out
    assert '> {"jsonrpc":"2.0","id":2,"method":"$/ping","params":{}}' in out
    assert "again: animus-conformance run --kind custom --only lifecycle.ping -- " in out
    assert "FAILED animus::lifecycle.ping - fail: $/ping was refused" in out
    assert "pytest_items.py" not in out
    assert "1 failed in" in out
    code, out = judged(workplace, *command, "animus::lifecycle.health-check")
    assert code == 0
    assert "1 passed in" in out


def test_an_expected_failure_is_an_xfail(workplace: Any, mutant: Callable[[str, str], Sequence[str]]) -> None:
    (workplace.folder / "conformance.toml").write_text(
        'kind = "custom"\n[[expected_failures]]\nid = "lifecycle.ping"\nreason = "fixed soon"\nexpires = 2999-12-31\n'
    )
    command = shlex.join(mutant("lifecycle.ping", "lifecycle"))
    code, out = judged(workplace, "--animus-plugin", command, "-rx", "animus::lifecycle.ping")
    assert code == 0
    assert "XFAIL animus::lifecycle.ping - fixed soon (until 2999-12-31)" in out


def test_what_is_not_advertised_is_skipped_with_its_proof(workplace: Any) -> None:
    command = shlex.join([sys.executable, "-S", str(LOG_STORAGE), "--variant", "minimal"])
    arguments = ("--animus-plugin", command, "--animus-kind", "log-storage", "--animus-level", "L2", "-rs")
    code, out = judged(workplace, *arguments, "-k", "log-storage.tail")
    assert code == 0, out
    assert "skipped" in out
    assert "log_storage/tail is refused with -32" in out


def test_advice_is_a_warning_and_fails_where_warnings_are_errors(
    workplace: Any, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    command = naming(mutant("lifecycle.helps-on-a-terminal", "lifecycle"), "animus::lifecycle.helps-on-a-terminal")
    code, out = judged(workplace, *command)
    assert code == 1
    assert "lifecycle.helps-on-a-terminal (SHOULD): on a terminal it ended with 0" in out
    assert "pytest_items.py" not in out
    code, out = judged(workplace, *command, "-W", "default")
    assert code == 0
    assert "ConformanceAdvice: lifecycle.helps-on-a-terminal (SHOULD)" in out


def test_what_is_unproven_fails(workplace: Any) -> None:
    workplace.program("leaves", "#!/bin/sh\nexit 3\n")
    code, out = judged(workplace, *naming(["./leaves"]), "animus::lifecycle.ping")
    assert code == 1
    assert "unproven: it does not start" in out


def test_a_mistake_is_a_usage_error(workplace: Any) -> None:
    workplace.program("mine", "#!/bin/sh\nexit 3\n")
    (workplace.folder / "several.py").write_text(SEVERAL)
    custom = ("--animus-plugin", "./mine", "--animus-kind", "custom")
    mistakes = [
        (["--animus-plugin", "./mine"], "write --animus-kind subject|provider|trigger|transport|web-ui|log-storage|"),
        (["--animus-plugin", "./mine", "--animus-kind", "tracker"], "--animus-kind: 'tracker' is none of subject"),
        (["--animus-plugin", "no-such-program"], "there is no program 'no-such-program' on the PATH"),
        (["--animus-plugin", "./mine '"], "No closing quotation"),
        ([*custom, "--animus-patience", "0"], "a number above 0"),
        ([*custom, "--animus-patience", "nan"], "a number above 0"),
        ([*custom, "animus::lifecycle.pin"], "lifecycle.pin"),
    ]
    _, out = judged(workplace, json.dumps([arguments for arguments, _ in mistakes]), program=["several.py"])
    answers = out.split(END_OF_ONE)[:-1]
    for (arguments, said), answer in zip(mistakes, answers, strict=True):
        assert said in answer, arguments
        assert answer.endswith(f"\n{int(pytest.ExitCode.USAGE_ERROR)}"), answer


def test_a_pytest_that_judges_no_plugin_pays_nothing() -> None:
    heavy = "{'asyncio', 'jsonschema', 'hypothesis', 'jinja2', 'animus_conformance.run'}"
    program = f"import sys, animus_conformance.pytest_plugin; sys.exit(str(sorted({heavy} & sys.modules.keys())))"
    before = "import pytest, sys; sys.modules.pop('asyncio', None)"
    done = subprocess.run(
        [sys.executable, "-c", f"{before}; {program}"], stderr=subprocess.PIPE, text=True, timeout=RUN_S, check=False
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("animus-subject-files", "subject"),
        ("/opt/bin/animus-web-ui", "web-ui"),
        ("animus-log-jsonl --rotate", "log-storage"),
        ("animus-log-storage-sqlite", "log-storage"),
        ("uv run animus-notifier-mail", "notifier"),
        ("python -m animus_subject_files", None),
        ("animus-subjective", None),
        ("my-plugin", None),
    ],
)
def test_the_kind_stands_in_the_name_of_the_program(command: str, kind: str | None) -> None:
    assert kind_in(command.split()) == kind
