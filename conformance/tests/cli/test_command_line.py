"""What a stranger gets from the command: results, exit codes, and a helpful word for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

Call = Callable[..., Any]

COMMAND_S: Final = 50.0
GOOD: Final = Path(__file__).parents[2] / "zoo" / "good"


def test_a_good_plugin_reaches_the_level_and_leaves_nothing_behind(workplace: Any, good: Sequence[str]) -> None:
    done = workplace.run("run", "--level", "L0", "--json", "report.json", "--", *good)
    assert (done.code, done.err) == (0, "")
    assert "\nL0: pass\nreached L0: life cycle and robustness only, since " in done.out
    assert "\x1b" not in done.out
    report = json.loads((workplace.folder / "report.json").read_text("utf-8"))
    assert report["reached"] == "L0"
    assert report["levels"] == {"L0": "pass"}
    assert {one["verdict"] for one in report["checks"]} == {"pass"}
    assert list(workplace.temporary.iterdir()) == []


def test_a_broken_plugin_fails_with_its_transcript_and_a_way_to_see_it_again(
    called: Call, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    command = mutant("lifecycle.ping", "lifecycle")
    done = called("run", "--only", "lifecycle.ping", "--only", "lifecycle.health-check", "--", *command)
    assert done.code == 1
    assert "FAIL     lifecycle.ping" in done.out
    assert '> {"jsonrpc":"2.0","id":2,"method":"$/ping","params":{}}' in done.out
    assert "only some checks" in done.out
    again = next(line for line in done.out.splitlines() if line.strip().startswith("again: "))
    assert called(*again.split()[2:]).code == 1


def test_the_way_to_see_it_again_names_the_options_that_matter(
    workplace: Any, called: Call, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    (workplace.folder / "conformance.toml").write_text('kind = "custom"\n')
    settings = workplace.folder / "own.toml"
    settings.write_text('[environment]\nSTATION = "roof"\n')
    (workplace.folder / "budget.toml").write_text("latency = 0.001\n")
    command = mutant("lifecycle.ping", "lifecycle")
    assert " -- " in (plain := again(called("run", "--only", "lifecycle.ping", "--", *command)))
    assert "--config" not in plain
    assert "--patience" not in plain
    options = ("--config", "own.toml", "--patience", "2.5", "--profile", "strict")
    assert f" --profile strict --config {settings} --patience 2.5 -- " in again(
        called("run", *options, "--only", "lifecycle.ping", "--", *command)
    )
    done = called("run", "--budget", "budget.toml", "--only", "budget.latency", "--", *command)
    assert f" --budget {workplace.folder / 'budget.toml'} -- " in again(done)


def again(done: Any) -> str:
    """The first line that tells how to see it again."""
    lines: list[str] = done.out.splitlines()
    return next(line.strip() for line in lines if line.strip().startswith("again: "))


def test_what_was_seen_during_another_check_is_seen_again_with_that_one(
    called: Call, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    command = mutant("wire.stdout-carries-messages-only", "wire")
    chosen = ("lifecycle.ping", "lifecycle.health-check", "wire.stdout-carries-messages-only")
    done = called("run", *(word for one in chosen for word in ("--only", one)), "--", *command)
    assert "(during lifecycle.health-check)" in done.out
    assert "standard output is the wire: write to standard error" in done.out
    line = again(done)
    assert "--only lifecycle.health-check --only wire.stdout-carries-messages-only" in line
    assert "lifecycle.ping" not in line
    assert called(*line.split()[2:]).code == 1


def test_a_failure_shows_of_stderr_what_was_written_since_its_check_began(workplace: Any) -> None:
    plugin = workplace.program(
        "plugin",
        f"""#!{sys.executable}
import json, sys
INFO = {{"name": "p", "version": "1", "plugin_kind": "custom"}}
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize":
        told = {{"result": {{"protocol_version": "1.1.0", "plugin_info": INFO, "capabilities": {{}}}}}}
    else:
        told = {{"error": {{"code": -32603, "message": "no"}}}}
    sys.stderr.write("heard " + asked["method"] + "\\n")
    sys.stderr.flush()
    if "id" in asked:
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], **told}}), flush=True)
""",
    )
    chosen = ["--only", "lifecycle.ping", "--only", "lifecycle.health-check"]
    done = workplace.run("run", "--kind", "custom", *chosen, "--json", "report.json", "--", str(plugin))
    assert done.code == 1
    ping, health = json.loads((workplace.folder / "report.json").read_text())["checks"]
    assert "stderr   heard $/ping" in ping["evidence"]
    assert "stderr   heard health/check" in health["evidence"]
    assert "stderr   heard $/ping" not in health["evidence"]


@pytest.mark.parametrize(
    ("plugin_kind", "said"),
    [
        ("weather_station", "no checks for the kind 'weather_station'\n"),
        ("subject_backnd", "no checks for the kind 'subject_backnd' (did you mean subject_backend?)\n"),
        ("provider", "judged as custom and not as provider\n"),
        ("custom", "reached L0\n"),
    ],
)
def test_a_plugin_that_is_judged_as_custom_is_told_what_that_leaves_out(
    workplace: Any, plugin_kind: str, said: str
) -> None:
    plugin = workplace.program(
        "plugin",
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(GOOD)!r})\nfrom custom import PLUGIN\n"
        f"PLUGIN.manifest['plugin_kind'] = {plugin_kind!r}\nPLUGIN.serve()\n",
    )
    done = workplace.run(
        "run", "--kind", "custom", "--level", "L0", "--json", "report.json", "--html", "report.html", "--", str(plugin)
    )
    assert done.code == 0, done.out
    assert done.out.endswith(said)
    report = json.loads((workplace.folder / "report.json").read_text("utf-8"))
    assert bool(report["restriction"]) is (plugin_kind != "custom")
    page = (workplace.folder / "report.html").read_text("utf-8")
    assert ("Judged were life cycle and robustness only" in page) is (plugin_kind != "custom")


def test_quiet_says_the_result_only(called: Call, good: Sequence[str]) -> None:
    done = called("run", "--quiet", "--only", "lifecycle.ping", "--seed", "3", "--", *good)
    assert done.code == 0
    assert done.out.splitlines()[0] == "1 pass  (seed 3)"


def test_a_check_that_is_named_counts_whatever_its_strength(
    called: Call, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    command = mutant("lifecycle.helps-on-a-terminal", "lifecycle")
    done = called("run", "--only", "lifecycle.helps-on-a-terminal", "--", *command)
    assert done.code == 1
    assert "(advice)" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "./my-plugin"], "animus-conformance run -- ./my-plugin"),
        (["run"], "two dashes"),
        (["run", "--", "no-such-program"], "there is no program 'no-such-program' on the PATH"),
        (["run", "--", "plain"], "write ./plain"),
        (["run", "--", "./plain"], "chmod +x"),
        (["run", "--", "./missing"], "there is no such file"),
        (["run", "--", "../work"], "is a folder"),
        (["run", "--", "./no-interpreter"], "cannot be started: Exec format error"),
        (["run", "--", "sh", "-c", "exit 3 #" + "x" * 300], "ended with 3"),
        (["run", "--", "./hangs"], "did not end within"),
        (["run", "--", "./complains"], "ended with 3"),
        (["run", "--", "./complains"], "no crates here"),
        (["run", "--", "./kindless"], "--kind subject|provider"),
        (["run", "--kind", "tracker", "--", "./hangs"], "invalid choice: 'tracker'"),
        (["run", "--level", "L9", "--", "./hangs"], "'L9'"),
        (["run", "--levl", "L0", "--", "./hangs"], "did you mean --level?"),
        (["run", "--", "here"], "pip install -e ./here"),
        (["run", "--", "./talks"], "On standard output it printed:\nloading"),
        (["run", "--patience", "0", "--", "./hangs"], "above 0"),
        (["run", "--patience", "much", "--", "./hangs"], "'much'"),
        (["run", "--colour", "--", "./hangs"], "run: unknown argument --colour"),
        (["run", "--only", "lifecycle.pin", "--", "./hangs"], "did you mean lifecycle.ping"),
        (["run", "--config", "none.toml", "--", "./hangs"], "none.toml cannot be read: No such file"),
        (["run", "--budget", "none.toml", "--", "./hangs"], "none.toml"),
        (["run", "--json", "no/such/folder.json", "--", "./hangs"], "--json: no/such/folder.json cannot be written"),
        (["run", "--html", ".", "--", "./hangs"], "it is a folder"),
        (["run", "--html", "same", "--junit", "same", "--", "./hangs"], "name the same file"),
        (["explain", "lifecycle.pings"], "did you mean lifecycle.ping"),
        (["explain", "xyz"], "animus-conformance list shows all"),
        (["list", "--kind", "subject", "more"], "list: unknown argument more"),
        ([], "COMMAND"),
    ],
    ids=lambda value: " ".join(value)[:80] or "nothing" if isinstance(value, list) else "",
)
def test_a_mistake_is_explained_at_once(workplace: Any, called: Call, arguments: list[str], said: str) -> None:
    (workplace.folder / "plain").write_text("print()")
    workplace.program("no-interpreter", "print()")
    workplace.program("hangs", "#!/bin/sh\nexec sleep 600\n")
    workplace.program("complains", "#!/bin/sh\necho no crates here >&2\nexit 3\n")
    workplace.program("kindless", """#!/bin/sh\necho '{"name": "kindless"}'\n""")
    workplace.program("talks", """#!/bin/sh\necho loading; echo '{"plugin_kind": "subject_backend"}'\n""")
    (workplace.folder / "here").mkdir()
    quick = ["--patience", "0.1"] if arguments == ["run", "--", "./hangs"] else []
    done = called(*arguments[:1], *quick, *arguments[1:])
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert list(workplace.temporary.iterdir()) == []


def test_a_check_of_another_kind_is_no_check_of_this_plugin(called: Call, good: Sequence[str]) -> None:
    done = called("run", "--only", "audit.advertised-methods-answer", "--", *good)
    assert done.code == 2
    assert "this plugin is judged as custom" in done.err


def test_a_manifest_that_cannot_be_had_is_judged_when_the_kind_is_named(workplace: Any, called: Call) -> None:
    workplace.program("complains", "#!/bin/sh\nexit 3\n")
    done = called("run", "--kind", "custom", "--only", "manifest.prints-one-object", "--", "./complains")
    assert done.code == 1
    assert "FAIL     manifest.prints-one-object" in done.out


def test_an_expected_failure_is_told_as_one_and_does_not_hold_the_level_back(
    workplace: Any, called: Call, mutant: Callable[[str, str], Sequence[str]]
) -> None:
    expected = '[[expected_failures]]\nid = "lifecycle.ping"\nreason = "being fixed"\nexpires = {}\n'
    command = ("run", "--only", "lifecycle.ping", "--", *mutant("lifecycle.ping", "lifecycle"))
    (workplace.folder / "conformance.toml").write_text(expected.format("2999-12-31"))
    done = called(*command)
    assert done.code == 0
    assert "expected lifecycle.ping" in done.out
    assert "being fixed (until 2999-12-31)" in done.out
    (workplace.folder / "conformance.toml").write_text(expected.format("2001-01-31"))
    done = called(*command)
    assert done.code == 1
    assert "(was expected until 2001-01-31: being fixed)" in done.out


def test_an_expected_failure_that_passes_is_stale(workplace: Any, called: Call, good: Sequence[str]) -> None:
    (workplace.folder / "conformance.toml").write_text(
        '[[expected_failures]]\nid = "lifecycle.ping"\nreason = "being fixed"\nexpires = 2999-12-31\n'
    )
    done = called("run", "--only", "lifecycle.ping", "--", *good)
    assert done.code == 1
    assert "it passes: take it out of expected_failures" in done.out


def test_what_is_listed_can_be_explained_as_text_and_as_json(called: Call) -> None:
    rows = json.loads(called("list", "--kind", "custom", "--json").out)
    assert [row["id"] for row in rows] == [
        line.split()[2] for line in called("list", "--kind", "custom").out.splitlines()
    ]
    one = json.loads(called("explain", "lifecycle.ping", "--json").out)
    assert one in rows
    assert one["title"] in called("explain", "lifecycle.ping").out


def test_a_report_goes_to_a_pipe_as_well(workplace: Any, good: Sequence[str]) -> None:
    done = workplace.run("run", "--only", "lifecycle.ping", "--badge", "/dev/stderr", "--", *good)
    assert done.code == 0
    assert done.err.startswith("<svg ")


@pytest.mark.parametrize("arguments", [["list"], ["run", "--only", "lifecycle.ping", "--"]], ids=["list", "run"])
def test_a_full_disk_behind_the_output_is_told(workplace: Any, good: Sequence[str], arguments: list[str]) -> None:
    command = [sys.executable, "-m", "animus_conformance", *arguments, *(good if arguments[-1] == "--" else ())]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command,
            cwd=workplace.folder,
            env=workplace.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "animus-conformance: [Errno 28] No space left on device\n"
    assert list(workplace.temporary.iterdir()) == []


def test_a_report_that_cannot_be_written_costs_no_result(called: Call, good: Sequence[str]) -> None:
    done = called("run", "--only", "lifecycle.ping", "--json", "/dev/full", "--", *good)
    assert done.code == 2
    assert "--json: /dev/full cannot be written: No space left on device" in done.err
    assert "\nL0: pass\n" in done.out


def test_texts_of_a_plugin_cannot_break_an_ascii_terminal(workplace: Any) -> None:
    workplace.program("complains", "#!/bin/sh\nprintf '\\033[31m\\303\\274' >&2\nexit 3\n")
    arguments = ("run", "--kind", "custom", "--only", "lifecycle.ping", "--", "./complains")
    done = workplace.run(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 1
    assert "stderr   \\x1b[31m\\xfc" in done.out
