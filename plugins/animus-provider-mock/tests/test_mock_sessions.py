"""Sessions: what is kept of them, and how they go on."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_provider_mock.record import GatheredResult, Progress, Store, default_state_dir
from animus_sdk import InvalidParams, NotFound, RpcError, Unavailable

BREAK = {"once": {"steps": [{"fail": "error"}]}}


async def test_a_failed_session_goes_on_behind_its_last_completed_step(project: Any) -> None:
    project.steps({"say": "a"}, {"think": "t"}, {"usage": {"input": 1}}, {"fail": "error"}, {"say": "b"})
    with pytest.raises(RpcError):
        await project.run()
    project.steps({"say": "a"}, {"think": "t"}, {"usage": {"input": 1}}, {"delay_s": 0}, {"say": "b"})
    record, stream = await project.resume()
    assert (record.output, record.thinking, record.tokens) == ("ab", ["t"], {"input": 1})
    assert stream.events == [("output", "b")]


async def test_a_step_that_fails_fails_again_when_it_is_resumed(project: Any) -> None:
    project.steps({"say": "a"}, {"fail": "error"})
    with pytest.raises(RpcError):
        await project.run()
    with pytest.raises(RpcError):
        await project.resume()


async def test_a_once_block_that_was_begun_is_skipped_by_resume_and_by_a_later_run(project: Any) -> None:
    project.steps({"say": "a"}, BREAK, {"say": "b"})
    with pytest.raises(RpcError):
        await project.run()
    assert (await project.resume())[0].output == "ab"
    assert (await project.run())[0].output == "ab"
    with pytest.raises(RpcError):
        await project.run(session="another")


async def test_the_completed_steps_of_a_once_block_are_not_lost(project: Any) -> None:
    project.steps({"once": {"steps": [{"say": "in "}, {"fail": "error"}, {"say": "never"}]}}, {"say": "out"})
    with pytest.raises(RpcError):
        await project.run()
    assert (await project.resume())[0].output == "in out"


async def test_once_blocks_of_steps_and_of_resume_are_told_apart(project: Any) -> None:
    block = {"once": {"steps": [{"say": "once "}]}}
    project.steps(block, {"say": "steps"}, resume=[block, {"say": "resume"}])
    assert (await project.run())[0].output == "once steps"
    assert (await project.resume())[0].output == "once resume"
    assert (await project.resume())[0].output == "resume"


async def test_exit_code_inside_once_ends_the_run_and_the_session_is_finished(project: Any) -> None:
    project.steps({"once": {"steps": [{"fail": {"how": "exit_code", "exit_code": 4}}]}}, {"say": "x"})
    record, _ = await project.run()
    assert (record.exit_code, record.output) == (4, "")
    record, _ = await project.resume()
    assert (record.exit_code, record.output) == (0, "x")


async def test_resume_steps_are_taken_instead_and_the_output_of_the_cut_session_is_kept(project: Any) -> None:
    project.steps({"say": "a "}, {"fail": "error"}, resume=[{"say": "{{prompt}} {{subject}}"}])
    with pytest.raises(RpcError):
        await project.run()
    record, stream = await project.resume(prompt="feedback", contract=None)
    assert record.output == "a feedback TASK-001"
    assert stream.text == "feedback TASK-001"


async def test_a_finished_session_starts_anew(project: Any) -> None:
    project.steps({"say": "a"}, {"metadata": 1})
    await project.run()
    record, stream = await project.resume()
    assert (record.output, record.metadata, stream.text) == ("a", [1], "a")


async def test_a_session_keeps_the_entry_that_its_first_request_chose(project: Any) -> None:
    project.script(
        "scripts:\n"
        "- {when: {prompt: first}, steps: [say: a, once: {steps: [fail: error]}, say: b]}\n"
        "- {steps: [say: other]}\n"
    )
    with pytest.raises(RpcError):
        await project.run(prompt="first")
    assert (await project.resume(prompt="second", contract=None))[0].output == "ab"


async def test_cancellation_stops_and_the_session_can_go_on(project: Any, recorder: Any) -> None:
    import asyncio

    project.steps({"say": "a"}, {"wait_for": {"file": "gate"}}, {"say": "b"})

    begun = asyncio.Event()
    output = recorder.output

    async def tell(text: str, *, final: bool = False) -> None:
        await output(text, final=final)
        begun.set()

    recorder.output = tell
    task = asyncio.create_task(project.run(stream=recorder))
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    (project.root / "gate").touch()
    assert (await project.resume())[0].output == "ab"


async def test_after_ignore_cancel_a_resumed_session_still_ignores_it(project: Any, recorder: Any) -> None:
    import asyncio

    project.steps({"ignore_cancel": True}, {"say": "a"}, BREAK, {"say": "b"}, {"delay_s": 0.1}, {"say": "c"})
    with pytest.raises(RpcError):
        await project.run()

    begun = asyncio.Event()

    async def tell(text: str, *, final: bool = False) -> None:
        begun.set()

    recorder.output = tell
    task = asyncio.create_task(project.resume(stream=recorder))
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    assert str((await asyncio.wait_for(asyncio.shield(task), 20))[0].output) == "abc"


async def test_an_unknown_session_is_not_found(project: Any) -> None:
    with pytest.raises(NotFound, match="session nobody"):
        await project.resume(session="nobody")


async def test_sessions_of_one_process_do_not_mix(project: Any) -> None:
    project.steps({"say": "{{session_id}}"})
    assert [(await project.run(session=each))[0].output for each in ("x", "y")] == ["x", "y"]
    assert (await project.resume(session="x"))[0].output == "x"


_JSON = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@settings(deadline=None, max_examples=50)
@given(session=st.text(min_size=1, max_size=120), output=st.text(), metadata=st.lists(_JSON, max_size=3))
def test_what_is_saved_of_a_session_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, session: str, output: str, metadata: list[Any]
) -> None:
    directory = tmp_path_factory.mktemp("state")
    progress = Progress(
        session, {"prompt": "p"}, 3, once=["0.steps[1]"], record=GatheredResult(output, metadata=metadata)
    )
    Store(directory / "new").save(progress)
    assert Store(directory / "new").load(session) == progress
    assert [each.parent for each in directory.rglob("*.json")] == [directory / "new"]
    assert Store(directory / "new").load(session + "x") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "x": 1}', "\\xff"])
def test_a_state_file_that_is_not_ours_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "s1.json").write_text(content)
    with pytest.raises(InvalidParams, match=r"s1\.json: not the state of a session: .* — remove the file"):
        Store(tmp_path).load("s1")


def test_a_state_directory_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        Unavailable, match="file: no session can be kept there: Not a directory — make it a writable directory"
    ):
        Store(tmp_path / "file").load("s1")
    for state in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Unavailable, match="set ANIMUS_MOCK_STATE_DIR"):
            Store(state).save(Progress("s1", {}))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("animus_provider_mock.record.write_atomic", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        Store(tmp_path).save(Progress("s1", {}))


def test_the_default_state_directory_is_private_and_one_for_each_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = default_state_dir(tmp_path / "a"), default_state_dir(tmp_path / "b")
    assert one != other
    assert one.parent == other.parent == tmp_path / f"animus-mock-{os.getuid()}"
    assert stat.S_IMODE(one.parent.stat().st_mode) == 0o700


def test_a_default_state_directory_that_leads_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"animus-mock-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(InvalidParams, match="not a directory of this user"):
        default_state_dir(tmp_path)
