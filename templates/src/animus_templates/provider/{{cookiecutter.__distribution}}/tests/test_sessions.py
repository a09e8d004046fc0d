from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.plugin import {{ cookiecutter.__class }}
from {{ cookiecutter.__package }}.script import TELL_FOLDER, WAIT, pieces
from {{ cookiecutter.__package }}.sessions import Progress, Sessions

PROMPT = "Say this,\n and  that."


@pytest.fixture
def host(animus_host: Any, tmp_path: Path) -> BlockingHarness:
    env = {"ANIMUS_CONFIG_DIR": str(tmp_path / "home")}
    started: BlockingHarness = animus_host({{ cookiecutter.__class }}, env=env)
    return started


def asked(tmp_path: Path, prompt: str) -> dict[str, Any]:
    return {"prompt": prompt, "cwd": str(tmp_path), "session_id": "S-1"}


def test_a_run_streams_its_answer_in_pieces(host: BlockingHarness, tmp_path: Path) -> None:
    result = host.request("agent/run", asked(tmp_path, PROMPT))
    said = [one["text"] for one in host.notifications("agent/output")]
    assert "".join(said) == result["output"] == PROMPT
    assert result["exit_code"] == 0
    assert result["decision_verdict"]["verdict"] == "advance"


def test_a_tool_is_called_and_its_result_told(host: BlockingHarness, tmp_path: Path) -> None:
    host.request("agent/run", asked(tmp_path, TELL_FOLDER))
    assert host.next_notification("agent/toolResult")["output"] == str(tmp_path)


def test_a_cancelled_run_ends_as_cancelled(host: BlockingHarness, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(host.request, "agent/run", asked(tmp_path, WAIT))
        host.next_notification("agent/thinking")
        assert host.request("agent/cancel", {"session_id": "S-1"})["cancelled"]
        with pytest.raises(RpcError) as refused:
            running.result(timeout=10)
    assert refused.value.code == -32002


def test_a_session_that_was_cut_off_goes_on_where_it_was(host: BlockingHarness, tmp_path: Path) -> None:
    host.request("agent/run", asked(tmp_path, "Something else"))
    [path] = (tmp_path / "home").rglob("*.json")
    Sessions(path.parent).save("S-1", Progress(prompt=PROMPT, said=2))
    result = host.request("agent/resume", asked(tmp_path, PROMPT))
    assert result["output"] == "".join(pieces(PROMPT)[2:])


def test_a_session_that_never_was_cannot_be_resumed(host: BlockingHarness, tmp_path: Path) -> None:
    with pytest.raises(RpcError, match="S-1"):
        host.request("agent/resume", asked(tmp_path, PROMPT))


@pytest.mark.parametrize("prompt", ["", " ", PROMPT, "word " * 1000])
def test_the_pieces_are_few_and_together_they_are_the_prompt(prompt: str) -> None:
    assert "".join(pieces(prompt)) == prompt
    assert len(pieces(prompt)) <= 40


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
