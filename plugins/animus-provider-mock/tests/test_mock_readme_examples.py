"""Every example of the README, executed by a real process; the page says what a host receives."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
RESUMED = "(agent/resume in a new process)"


def test_every_yaml_block_of_the_readme_tells_what_comes_of_it() -> None:
    assert len(EXAMPLES) == README.count("```yaml") == README.count("```text") > 10


@pytest.mark.parametrize(("script", "expected"), EXAMPLES)
def test_an_example_of_the_readme_does_what_the_readme_says(
    project: Any, host: Any, script: str, expected: str
) -> None:
    project.script(script)
    transcript = _transcript(project, host(), "agent/run")
    if RESUMED in expected:
        transcript += [RESUMED, *_transcript(project, host(), "agent/resume")]
    assert "\n".join(transcript) + "\n" == expected


def test_the_python_example_of_the_readme_runs(project: Any) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=project.root,
        env={"PATH": path, **project.env},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["id"], last["result"]["session_id"]) == (2, "s1")
    assert last["result"]["output"] == "Nothing is scripted, so there is nothing to do."
    assert last["result"]["decision_verdict"]["verdict"] == "advance"


def _transcript(project: Any, plugin: Any, method: str) -> list[str]:
    number = plugin.start(method, session_id="s1")
    reply = plugin.reply_or_end(number)
    transcript = [_line(message["method"], message["params"]) for message in plugin.seen if "method" in message]
    transcript += [f"broken line: {line.decode().strip()}" for line in plugin.broken]
    if reply is None:
        status = plugin.wait()
        transcript.append(
            f"the process exits with {status}" if status >= 0 else f"the process is killed by signal {-status}"
        )
    elif "error" in reply:
        message = reply["error"]["message"].replace(f"{project.root}/", "")
        transcript.append(f"error {reply['error']['code']}: {message}")
    else:
        transcript += _result(reply["result"])
    return transcript


def _line(method: str, params: dict[str, Any]) -> str:
    match method.removeprefix("agent/"):
        case "toolCall":
            return f"toolCall: {params['name']} {_json(params['arguments'])}"
        case "toolResult":
            return f"toolResult: {params['name']} {'ok' if params['success'] else 'failed'} {_json(params['output'])}"
        case "error":
            return f"error event: {params['message']} ({'recoverable' if params['recoverable'] else 'fatal'})"
        case kind:
            return f"{kind}: {params['text']}"


def _result(result: dict[str, Any]) -> list[str]:
    shown = [f"result: exit_code {result['exit_code']}, output {_json(result['output'])}"]
    extra = ("decision_verdict", "tokens_used", "metadata", "errors")
    return shown + [f"{key}: {_json(result[key])}" for key in extra if result.get(key)]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
