"""`animus plugin dev`: every frame is seen, an edit counts at once, nothing is left running."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from animus_core.cli.main import main
from process_ends import wait_gone

if TYPE_CHECKING:
    from conftest import Dev

DEADLINE_S = 30.0
HANDSHAKE_S = 25.0  # a host would wait 30 s
StartDev = Callable[..., "Dev"]
Tiny = Callable[..., Path]


def test_every_line_on_the_wire_is_shown_and_a_script_ends_after_its_last_answer(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny()), "--", "--loud")
    running.type("note/list limit=1 kind=a,b", "ping")
    assert running.end() == 0
    at_any_time = ("! a line of stderr", "# dropped input (number 1): not JSON")  # the frames do not wait for them
    lines = [line for line in running.said.splitlines() if not line.startswith(at_any_time)]
    assert len(lines) == len(running.said.splitlines()) - len(at_any_time)
    assert lines[0] == "# tiny 1 | subject_backend | subjects: note | 1 methods | protocol 1.0.0 | made by a test"
    assert lines[1].startswith('> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol_version"')
    asked = lines.index('> {"jsonrpc":"2.0","id":2,"method":"note/list","params":{"limit":1,"kind":["a","b"]}}')
    assert lines[asked + 1 : asked + 4] == [
        "<?no frame at all",
        '<~{"jsonrpc": "2.0", "method": "note/told", "params": {"word": "\\u00fc"}}',
        '< {"jsonrpc": "2.0", "id": 2, "result": {"asked": {"limit": 1, "kind": ["a", "b"]}, "argv": ["--loud"]}}',
    ]
    assert lines[asked + 4].startswith("= note/list took ")
    assert lines[-1] == '>~{"jsonrpc":"2.0","method":"exit","params":{}}'


def test_programs_read_one_json_line_a_frame(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny()), "--json")
    running.type('note/list {"any": [1, 2]} limit=3', "quit")
    assert running.end() == 0
    seen = running.frames()
    assert all("at" in one for one in seen)
    frames = [(one["direction"], one["frame"].get("method")) for one in seen if "frame" in one]
    assert frames == [
        *((">", "initialize"), ("<", None), (">", "initialized"), (">", "note/list"), ("<", "note/told"), ("<", None)),
        *((">", "shutdown"), ("<", None), (">", "exit")),
    ]
    asked = next(one["frame"] for one in seen if one.get("frame", {}).get("method") == "note/list")
    assert asked["params"] == {"any": [1, 2], "limit": 3}
    texts = sorted((one["direction"], one["text"]) for one in seen if "text" in one)
    assert texts == [("<", "no frame at all"), ("stderr", "a line of stderr")]
    events = [one["event"] for one in seen if "event" in one]
    assert events == ["manifest", "ready", "log", "answer"]
    assert next(one for one in seen if one.get("event") == "answer")["result"]["asked"] == asked["params"]


def test_a_mistake_at_the_prompt_is_told_and_sends_nothing(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny()), "--json")
    running.type("note/list limt=1", "note/list limit=many", "ristart", "cancel", 'ping "', "ping {1}", "# nothing", "")
    assert running.end() == 0
    seen = running.frames()
    message = [one["message"] for one in seen if one.get("event") == "refused"]
    wanted = [
        "no param 'limt'",
        "limit is 'many'",
        "'ristart' is neither",
        "cancel is given 0",
        "No closing",
        "not valid JSON",
    ]
    assert [part for part, text in zip(wanted, message, strict=True) if part not in text] == []
    assert [one["frame"]["method"] for one in seen if one.get("direction") == ">"] == [
        *("initialize", "initialized", "shutdown", "exit"),
    ]


def test_an_edit_starts_it_again_and_a_broken_one_waits_for_the_next(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(path := tiny("1")), "--json")
    running.until('"initialized"')
    tiny("2")
    message = running.until('"initialized"')
    assert '"event": "changed"' in message
    assert '"version": "2"' in message
    assert '"method":"exit"' in message

    path.write_text(path.read_text().replace("import json", "import jsonn", 1))
    failed = running.until('"event": "failed"')
    assert "No module named 'jsonn'" in failed
    running.type("note/list")
    running.until("the plugin does not run")
    tiny("3")
    assert '"version": "3"' in running.until('"initialized"')
    running.type("note/list", "quit")
    running.until('"result": {"asked"')
    assert running.end() == 0


def test_an_edit_does_not_wait_for_a_start_that_hangs(dev: StartDev, tiny: Tiny) -> None:
    mute = 'case "initialize": print("pid", os.getpid(), file=sys.stderr, flush=True)'
    running = dev(str(tiny("1", **{'case "initialize": reply(frame["id"], GREETING)': mute})), "--json")
    pid = int(json.loads(running.until('"text": "pid ').splitlines()[-1])["text"].split()[1])
    began = time.monotonic()
    tiny("2")
    assert '"version": "2"' in running.until('"initialized"')
    assert time.monotonic() - began < HANDSHAKE_S
    wait_gone(pid)
    running.type("note/list", "quit")
    assert running.end() == 0
    assert "failed" not in {one.get("event") for one in running.frames()}


def test_a_folder_that_is_new_is_watched_like_the_others(dev: StartDev, tiny: Tiny, tmp_path: Path) -> None:
    project = tmp_path / "flat"
    tiny("1", "flat/flat_plugin.py")
    (project / "pyproject.toml").write_text('[project.scripts]\nanimus-flat = "flat_plugin:main"\n')
    running = dev(str(project), "--json")
    running.until('"initialized"')
    (project / "more").mkdir()
    running.until('"initialized"')
    (project / "more/part.py").touch()
    edited = running.until('"initialized"')
    assert json.loads(next(line for line in edited.splitlines() if "changed" in line))["files"] == [
        str(project / "more/part.py")
    ]
    running.type("quit")
    assert running.end() == 0


def test_what_stands_behind_quit_in_a_script_is_not_carried_out(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny()), "--json")
    running.type("ping", "quit", "note/list", "health")
    assert running.end() == 0
    assert [one["frame"]["method"] for one in running.frames() if one.get("direction") == ">"] == [
        *("initialize", "initialized", "$/ping", "shutdown", "exit"),
    ]


def test_an_input_that_is_closed_is_one_without_lines(
    tiny: Tiny, tmp_path: Path, dev_environment: dict[str, str]
) -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "animus_core.cli.main", "plugin", "dev"]
    done = subprocess.run(
        [*command, str(tiny())],
        cwd=tmp_path,
        env=dev_environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == '>~{"jsonrpc":"2.0","method":"exit","params":{}}'


def test_a_plugin_that_dies_is_told_and_started_by_restart_or_the_next_edit(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny("1")), "--json")
    running.type("call die")
    message = running.until('"event": "ended"')
    assert "it ended (exit code 3); the next edit, or restart, starts it again" in message
    assert '"event": "unanswered"' in running.said
    running.type("restart")
    running.until('"initialized"')
    running.type("call die")
    running.until('"event": "ended"')
    tiny("2")
    assert '"version": "2"' in running.until('"initialized"')
    running.type("call die")
    assert running.end() == 5
    assert "the plugin does not run" in running.said.splitlines()[-1]


def test_cancel_overtakes_the_call_that_it_cancels(dev: StartDev, tiny: Tiny) -> None:
    running = dev(str(tiny()), "--json")
    running.type("slow")
    running.until('"method":"slow"')
    running.type("cancel 2")
    assert '"method":"$/cancelRequest","params":{"id":2}' in running.until('"event": "answer"')
    running.type("help", "manifest", "health")
    assert running.end() == 0
    assert '"code": -32002' in running.said
    assert "methods: note/list, slow" in running.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_plugin_and_all_that_it_started(
    dev: StartDev, tiny: Tiny, number: signal.Signals
) -> None:
    running = dev(str(tiny()), "--json")
    running.type("call escape")
    answer = json.loads(running.until('"event": "answer"').splitlines()[-1])
    running.process.send_signal(number)
    running.process.wait(DEADLINE_S)
    wait_gone(*answer["result"])
    assert running.end() == 0
    assert '"method":"shutdown"' in running.said
    assert "Traceback" not in running.said


def test_an_interrupt_ends_a_plugin_that_is_being_started(dev: StartDev, tiny: Tiny) -> None:
    mute = 'case "initialize": print("pid", os.getpid(), file=sys.stderr, flush=True)'
    running = dev(str(tiny(**{'case "initialize": reply(frame["id"], GREETING)': mute})), "--json")
    pid = int(json.loads(running.until('"text": "pid ').splitlines()[-1])["text"].split()[1])
    assert running.interrupt() == 0
    wait_gone(pid)


def test_nobody_who_reads_any_more_is_an_end_too(tiny: Tiny, tmp_path: Path, dev_environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "animus_core.cli.main", "plugin", "dev", str(tiny())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=dev_environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"ping\n")
        process.stdin.flush()
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr.read() == b""


def test_a_project_is_run_as_its_script_would_be(dev: StartDev, tiny: Tiny, tmp_path: Path) -> None:
    project = tmp_path / "animus-subject-tiny"
    source = tiny("1", "animus-subject-tiny/src/animus_subject_tiny/plugin.py")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "animus-subject-tiny"\n'
        '[project.scripts]\nother = "x:y"\nanimus-subject-tiny = "animus_subject_tiny.plugin:main"\n'
    )
    running = dev(str(project), "--json")
    running.until('"initialized"')
    (project / "src/animus_subject_tiny/state.db").write_text("no edit")
    (project / "NOTES.md").write_text("no edit")
    source.write_text(source.read_text().replace('"version": "1"', '"version": "2"'))
    edited = running.until('"initialized"')
    assert json.loads(next(line for line in edited.splitlines() if "changed" in line))["files"] == [str(source)]

    script = project / ".venv/bin/animus-subject-tiny"
    script.parent.mkdir(parents=True)
    script.write_text(source.read_text().replace('"version": "2"', '"version": "3"'))
    script.chmod(0o755)
    running.type("restart", "note/list")
    assert running.end() == 0
    assert '"version": "3"' in running.said
    assert {file for one in running.frames() for file in one.get("files", ())} == {str(source)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "without pyproject.toml"),
        ("[project", "pyproject.toml: cannot be read"),
        ("[project]\n", "[project.scripts] has none that begins with animus-"),
        ("[project.scripts]\nanimus-a = 'a:m'\nanimus-b = 'b:m'\n", "animus-a, animus-b: which?"),
        ("[project.scripts]\nanimus-a = 'a'\n", "project.scripts.animus-a is 'a'"),
    ],
)
def test_a_path_that_is_no_plugin_is_refused_with_what_could_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content)
    assert main(["plugin", "dev", str(tmp_path), "--project-root", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert main(["plugin", "dev", str(tmp_path / "nowhere"), "--project-root", str(tmp_path)]) == 2
    (tmp_path / "text").touch()
    assert main(["plugin", "dev", str(tmp_path / "text"), "--project-root", str(tmp_path)]) == 2
    assert f"chmod +x {tmp_path / 'text'}" in capsys.readouterr().err


class Typist:
    """Somebody at a terminal of 60 columns with `animus plugin dev`."""

    def __init__(self, words: list[str], cwd: Path, env: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 60))
        self.modes = termios.tcgetattr(slave)
        self.slave = slave
        # Who begins a session and opens a terminal is interrupted by the keys of that terminal.
        begin = ["sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(slave)]
        command = [*begin, sys.executable, "-m", "animus_core.cli.main", "plugin", "dev", *words]
        self.process = subprocess.Popen(command, cwd=cwd, env=env, start_new_session=True)
        self.seen = ""
        self._read = 0

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def until(self, text: str) -> str:
        deadline = time.monotonic() + DEADLINE_S
        while (found := self.seen.find(text, self._read)) < 0:
            ready = select.select([self.master], [], [], deadline - time.monotonic())[0]
            assert ready, f"{text!r} was never seen, but\n{self.seen}"
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        begin, self._read = self._read, found + len(text)
        return self.seen[begin : self._read]


def test_a_terminal_has_a_prompt_with_history_and_completion_and_is_put_back(
    tiny: Tiny, tmp_path: Path, dev_environment: dict[str, str]
) -> None:
    typist = Typist([str(tiny("1"))], tmp_path, dev_environment)
    try:
        first = typist.until("tiny> ")
        assert "\x1b[32m< {…" in first
        assert "…" in first
        typist.type("no\tli\t1")
        typist.until("note/list limit=1")
        tiny("2")  # what is typed stays below what is shown meanwhile
        typist.until("tiny 2 |")
        typist.until("initialized")
        typist.until("tiny> note/list limit=1")
        typist.type("\r")
        typist.until("note/list took")
        typist.until("tiny> ")
        typist.type("\x1b[A")
        typist.until("note/list limit=1")
        typist.type("\x03")
        typist.until('"method":"exit"')
        assert typist.process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(typist.slave)[:6] == typist.modes[:6]
    finally:
        typist.process.kill()
        typist.process.wait(DEADLINE_S)
        os.close(typist.slave)
        os.close(typist.master)
