"""What each step does, below the plugin."""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animus_provider_mock.edits import EditRefused, apply_edit
from animus_provider_mock.model import Edit
from animus_provider_mock.programs import run_program
from animus_sdk import InvalidParams, NotSupported, RpcError, Unavailable


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(text=st.text(max_size=60), chunk=st.integers(1, 70))
async def test_the_pieces_of_a_text_join_to_it_and_none_is_longer_than_asked(
    project: Any, text: str, chunk: int
) -> None:
    text = text.replace("{{", "")
    project.steps({"say": {"text": text, "chunk": chunk}})
    record, stream = await project.run()
    assert stream.text == record.output == text
    assert all(0 < len(event[1]) <= chunk for event in stream.events)


async def test_a_tool_is_called_and_answers_with_what_is_written(project: Any) -> None:
    project.steps({"tool": {"name": "t", "arguments": [1, None], "result": {"d": "2026-01-01"}, "success": False}})
    record, stream = await project.run()
    assert stream.events == [("toolCall", "t", [1, None], None), ("toolResult", "t", {"d": "2026-01-01"}, False)]
    assert record.tool_results == [{"name": "t", "output": {"d": "2026-01-01"}, "success": False}]


async def test_a_date_in_yaml_is_text(project: Any) -> None:
    project.script("scripts: [{steps: [metadata: {day: 2026-01-01}]}]")
    assert (await project.run())[0].metadata == [{"day": "2026-01-01"}]


async def test_the_last_verdict_counts_and_texts_in_it_are_filled(project: Any) -> None:
    project.steps(
        {"verdict": "fail"}, {"verdict": {"verdict": "rework", "evidence": ["{{phase}}"], "target_phase": "x"}}
    )
    assert (await project.run())[0].verdict == {"verdict": "rework", "evidence": ["implement"], "target_phase": "x"}


async def test_a_script_without_a_verdict_gives_none(project: Any) -> None:
    project.steps({"say": "x"})
    assert (await project.run())[0].verdict is None


async def test_placeholders_stand_for_what_the_host_told_and_for_nothing_where_it_did_not(project: Any) -> None:
    text = "{{subject}}|{{phase}}|{{attempt}}|{{session_id}}|{{prompt}}|{{model}}|{{other}}"
    project.steps({"say": text})
    assert (await project.run())[0].output == "TASK-001|implement|1|s1|Make it so.|mock-1|{{other}}"
    assert (await project.run(contract=None))[0].output == "|||s1|Make it so.|mock-1|{{other}}"


async def test_an_edit_that_cannot_be_made_is_told_and_fails_the_run(project: Any, recorder: Any) -> None:
    path = project.steps({"edit": {"path": "src/a.py", "replace": "x", "with": "y"}}, {"say": "never"})
    with pytest.raises(InvalidParams) as caught:
        await project.run(stream=recorder)
    assert str(caught.value).startswith(f"{path}:1: edit src/a.py: the text to replace occurs 0 times")
    assert recorder.events[-1][0] == "toolResult"
    assert recorder.events[-1][3] is False


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"replace": ("41", "42")}, "answer = 42\n"),
        ({"content": "new\r\n"}, "new\r\n"),
        ({"append": "more\n"}, "answer = 41\nmore\n"),
        ({"delete": True}, None),
    ],
)
def test_an_edit_changes_the_file_and_keeps_its_permissions(project: Any, change: Any, after: str | None) -> None:
    path = project.root / "src/a.py"
    path.chmod(0o750)
    apply_edit(Edit("m:1", "src/a.py", **change), project.root)
    assert (path.read_bytes().decode() if path.exists() else None) == after
    assert after is None or path.stat().st_mode & 0o777 == 0o750
    assert {each.name for each in path.parent.iterdir()} == ({"a.py"} if after else set())


@pytest.mark.parametrize("way", ["content", "append"])
def test_a_new_file_is_made_with_its_directories_and_the_usual_permissions(project: Any, way: str) -> None:
    change: Any = {way: "x"}
    apply_edit(Edit("m:1", "new/dir/file", **change), project.root)
    (project.root / "usual").touch()
    made = project.root / "new/dir/file"
    assert made.read_text() == "x"
    assert made.stat().st_mode == (project.root / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("path", "change", "why"),
    [
        ("../x", {"content": ""}, "without .."),
        ("src/../x", {"content": ""}, "without .."),
        ("/etc/x", {"content": ""}, "relative path"),
        ("", {"content": ""}, "relative path"),
        (".", {"content": ""}, "leads out|regular file|relative path"),
        ("away/x", {"content": ""}, "leads out"),
        ("gone", {"content": ""}, "leads out"),
        ("loop", {"content": ""}, "cannot be followed"),
        ("loop/x", {"content": ""}, "cannot be followed"),
        ("src", {"content": ""}, "not a regular file"),
        ("src", {"delete": True}, "src: "),
        ("nope", {"replace": ("a", "b")}, "no such file"),
        ("nope", {"delete": True}, "no such file"),
        ("binary", {"replace": ("a", "b")}, "not UTF-8"),
        ("src/a.py/x", {"content": ""}, "src/a.py/x: "),
        ("twice", {"replace": ("ab", "b")}, "occurs 2 times"),
    ],
)
def test_an_edit_is_refused_with_the_reason_and_touches_nothing(
    project: Any, tmp_path: Path, path: str, change: Any, why: str
) -> None:
    (tmp_path / "outside").mkdir()
    (project.root / "away").symlink_to(tmp_path / "outside")
    (project.root / "gone").symlink_to(tmp_path / "outside" / "x")
    (project.root / "loop").symlink_to("loop")
    (project.root / "binary").write_bytes(b"\xff")
    (project.root / "twice").write_text("ab ab")
    with pytest.raises(EditRefused, match=why):
        apply_edit(Edit("m:1", path, **change), project.root)
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (tmp_path / "x").exists()


def test_a_symbolic_link_that_stays_inside_is_followed_and_kept(project: Any) -> None:
    (project.root / "link").symlink_to("src/a.py")
    apply_edit(Edit("m:1", "link", replace=("41", "42")), project.root)
    assert (project.root / "link").is_symlink()
    assert (project.root / "src/a.py").read_text() == "answer = 42\n"


async def test_a_program_runs_in_cwd_with_the_environment_of_the_request(project: Any) -> None:
    project.steps({"run": ["python", "-c", "import os; print(os.getcwd(), os.environ['FROM_REQUEST'])"]})
    record, _ = await project.run()
    assert record.tool_results[0]["output"] == f"{project.root} yes\n"
    assert record.tool_results[0]["success"] is True


async def test_a_program_that_fails_or_is_missing_is_an_unsuccessful_tool_and_the_run_goes_on(project: Any) -> None:
    project.steps({"run": ["python", "-c", "raise SystemExit(3)"]}, {"run": ["no-such-program"]}, {"say": "on"})
    record, _ = await project.run()
    assert [entry["success"] for entry in record.tool_results] == [False, False]
    assert record.tool_results[1]["output"] == "no-such-program: No such file or directory\n"
    assert record.output == "on"


async def test_a_program_gets_no_shell(project: Any) -> None:
    project.steps({"run": ["echo", "$HOME; ls"]})
    assert (await project.run())[0].tool_results[0]["output"] == "$HOME; ls\n"


async def test_a_program_is_killed_with_its_children_when_its_time_is_over(project: Any) -> None:
    code = "import os, time; print('up', flush=True); os.fork(); time.sleep(60)"  # a child that is to stay
    project.steps({"run": {"command": ["python", "-c", code], "timeout_s": 1}}, {"say": "on"})
    record, _ = await project.run()
    assert record.tool_results[0]["output"] == "up\n\n(killed after 1 s)"
    assert record.output == "on"


async def test_what_a_program_leaves_running_in_its_group_is_ended_with_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    code = "import os, time; os.open('alive', os.O_WRONLY); os.fork() or time.sleep(60); print('done')"  # to stay
    outcome = await run_program(("python", "-c", code), tmp_path, os.environ, 20)
    assert outcome == ("done\n", 0)
    assert select.select([reader], [], [], 10)[0]  # the end of file: nobody is left who holds the other end
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_only_the_beginning_of_a_long_output_is_kept(tmp_path: Path) -> None:
    outcome = await run_program(("python", "-c", "print('x' * 300_000)"), tmp_path, os.environ, 20)
    assert outcome == ("x" * 65536, 0)


async def test_a_program_in_a_directory_that_is_missing_fails_the_run_with_the_line(project: Any) -> None:
    path = project.steps({"run": ["true"]})
    project.root = project.root / "missing"
    project.env["ANIMUS_MOCK_SCRIPT"] = str(path)
    with pytest.raises(InvalidParams, match=r"mock\.yaml:1: run true: .*No such file"):
        await project.run()


async def test_a_wait_ends_when_the_file_appears(project: Any, recorder: Any) -> None:
    project.steps({"say": "waiting"}, {"wait_for": {"file": "gate"}}, {"say": " done"})

    begun = asyncio.Event()
    output = recorder.output

    async def tell(text: str, *, final: bool = False) -> None:
        await output(text, final=final)
        begun.set()

    recorder.output = tell
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        run = group.create_task(project.run(stream=recorder))
        await begun.wait()
        assert not run.done()
        (project.root / "gate").touch()
    assert str(run.result()[0].output) == "waiting done"


async def test_a_wait_that_is_in_vain_is_unavailable(project: Any) -> None:
    project.steps({"wait_for": {"file": "never", "timeout_s": 0.05}})
    with pytest.raises(Unavailable, match=r"mock\.yaml:1: wait_for: no file .*never after 0\.05 s"):
        await project.run()


async def test_fail_error_raises_the_structured_error(project: Any) -> None:
    project.steps({"fail": {"how": "error", "code": -32003, "message": "late"}})
    with pytest.raises(RpcError) as caught:
        await project.run()
    assert (caught.value.code, caught.value.message) == (-32003, "late")


async def test_garbage_goes_to_the_wire_and_is_refused_where_there_is_none(project: Any) -> None:
    project.steps({"fail": "garbage"}, {"say": "on"})
    assert (await project.run())[0].output == "on"
    assert project.garbage == ["garbage: {this is not JSON]"]

    from animus_provider_mock.failures import RawWire

    with pytest.raises(NotSupported):
        await RawWire(None).write_line("x")
