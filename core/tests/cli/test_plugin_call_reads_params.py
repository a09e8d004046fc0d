"""`animus plugin call` reads params by the method's types, and starts nothing for what does not fit."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from animus_core.cli.main import main

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(
    tmp_path: Path,
    cache_dir: Path,
    tiny: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Call]:
    """Call a method of the small plugin, which leaves a mark when it is greeted."""
    mark = f'case "initialize": open({str(tmp_path / "mark")!r}, "w"); reply('
    path = tiny(**{'case "initialize": reply(': mark})
    config = Path(tempfile.mkdtemp(prefix="an"))  # short, because sockets are made below it
    (config / "plugins.yaml").write_text(f"plugins: {{ tiny: {{ binary: {path} }} }}\n")
    (tmp_path / "project/.animus").mkdir(parents=True)
    monkeypatch.setenv("ANIMUS_CONFIG_DIR", str(config))
    monkeypatch.setenv("ANIMUS_CACHE_DIR", str(cache_dir))

    def run(*words: str) -> tuple[int, Any]:
        code = main(["plugin", "call", "tiny", *words, "--json", "--project-root", str(tmp_path / "project")])
        out, err = capsys.readouterr()
        return code, json.loads(out)["data"] if code == 0 else json.loads(err)["error"]["message"]

    yield run
    shutil.rmtree(config)


def test_params_of_a_kind_that_it_claims_have_the_types_of_the_subject_methods(call: Call) -> None:
    assert call("note/list", "limit=5", "native_status=5", "--params", '{"unheard": 1}') == (
        0,
        {"asked": {"unheard": 1, "limit": 5, "native_status": "5"}, "argv": []},
    )


@pytest.mark.parametrize("method", ["note/list", "subject/list"])
def test_what_does_not_fit_is_told_before_anything_is_started(call: Call, tmp_path: Path, method: str) -> None:
    assert call(method, "limit=many") == (2, "limit is 'many', expected a whole number from 0 to 4294967295")
    assert call(method, "limt=1") == (2, "the method has no param 'limt'")
    assert call(method, "--params", "[]") == (2, "--params is not a JSON object")
    assert not (tmp_path / "mark").exists()


def test_a_method_that_nobody_knows_takes_json_or_text(call: Call, tmp_path: Path) -> None:
    assert call("other/list", "limit=many", "a.b=1") == (0, {})
    assert (tmp_path / "mark").exists()
