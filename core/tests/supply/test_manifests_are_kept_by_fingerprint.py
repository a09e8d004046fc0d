"""The manifest cache: an unchanged plugin is not started to say who it is, and nothing doubtful is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from animus_core.supply.discovery.discover import Discovery, discover
from plugin_places import MANIFEST

WITH_KEY = {**MANIFEST, "env_required": [{"name": "KEY"}]}


class Config:
    """A configuration directory with one plugin in shell, which notes each time that it is executed."""

    def __init__(self, root: Path) -> None:
        self.folder, self._ran = root / "config", root / "ran"
        self.program = self.folder / "plugins/animus-plugin-x"
        self.program.parent.mkdir(parents=True)

    def plugin(self, code: str = "", **manifest: Any) -> None:
        """Write it anew."""
        printed = json.dumps({**WITH_KEY, **manifest})
        self.program.write_text(f"#!/bin/sh\necho x >>{self._ran}\n{code}\necho '{printed}'\n")
        self.program.chmod(0o755)

    async def discover(self, **options: Any) -> Discovery:
        """Look for plugins."""
        return await discover(self.folder, scripts=list, **options)

    @property
    def times(self) -> int:
        """How often it was executed."""
        return len(self._ran.read_text().split()) if self._ran.exists() else 0

    @property
    def kept(self) -> list[Path]:
        """The files of the cache."""
        return sorted((self.folder / "cache/manifests").glob("*"))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name in ("ANIMUS_PLUGIN_DIR", "ANIMUS_PLUGIN_PATH", "ANIMUS_CACHE_DIR", "ANIMUS_DISABLE_MANIFEST_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return Config(tmp_path)


async def test_a_plugin_is_asked_once_until_it_changes(config: Config) -> None:
    config.plugin()
    first = await config.discover()
    assert await config.discover() == first
    assert (len(first.plugins), config.times) == (1, 1)
    assert [path.stem for path in config.kept] == [first.plugins[0].digest]
    config.plugin(version="2")
    assert (await config.discover()).plugins[0].manifest.version == "2"
    assert config.times == 2


async def test_it_is_asked_each_time_when_the_operator_says_so(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    config.plugin()
    first = await config.discover()
    assert await config.discover(refresh=True) == first
    monkeypatch.setenv("ANIMUS_DISABLE_MANIFEST_CACHE", "1")
    assert await config.discover() == first
    assert config.times == 3


async def test_the_operator_may_put_the_cache_elsewhere(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMUS_CACHE_DIR", str(tmp_path / "a/b"))
    config.plugin()
    assert await config.discover() == await config.discover()
    assert config.times == 1
    assert not (config.folder / "cache").exists()
    assert len(list((tmp_path / "a/b/manifests").iterdir())) == 1


def _other_digest(kept: dict[str, Any]) -> str:
    return json.dumps({**kept, "digest": "0" * 64})


def _other_protocol(kept: dict[str, Any]) -> str:
    return json.dumps({**kept, "manifest": {**kept["manifest"], "protocol_version": "2.0.0"}})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "[]",
        lambda kept: json.dumps(kept)[:-9],
        lambda kept: json.dumps({**kept, "v": 2}),
        lambda kept: json.dumps({**kept, "manifest": None}),
        lambda kept: json.dumps({**kept, "manifest": {"name": "p"}}),
        _other_digest,
        _other_protocol,
    ],
)
async def test_a_spoiled_entry_is_passed_over_and_replaced(
    spoil: Callable[[dict[str, Any]], str], config: Config
) -> None:
    config.plugin()
    first = await config.discover()
    (kept,) = config.kept
    good = kept.read_text()
    kept.write_text(spoil(json.loads(good)))
    assert await config.discover() == first
    assert (config.times, kept.read_text()) == (2, good)


async def test_a_failure_is_not_kept(config: Config) -> None:
    config.plugin(code="exit 3")
    assert (await config.discover()).plugins == ()
    assert (await config.discover()).plugins == ()
    assert (config.times, config.kept) == (2, [])


async def test_a_plugin_that_changes_while_it_is_asked_is_not_kept(config: Config) -> None:
    config.plugin(code='echo "# changed" >>"$0"')
    (first,) = (await config.discover()).plugins
    (second,) = (await config.discover()).plugins
    assert (config.times, config.kept) == (2, [])
    assert first.digest != second.digest


async def test_a_plugin_whose_author_works_on_it_is_asked_each_time(config: Config, tmp_path: Path) -> None:
    note = tmp_path / "venv/lib/python3/site-packages/x-1.dist-info/direct_url.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"url": "file:///x", "dir_info": {"editable": true}}')
    (tmp_path / "venv/pyvenv.cfg").write_text("")
    config.plugin()
    program = config.program.rename(tmp_path / "venv/program")
    (config.folder / "plugins.yaml").write_text(f"plugins: {{x: {{binary: {program}}}}}")
    assert await config.discover() == await config.discover()
    assert (config.times, config.kept) == (2, [])
    note.unlink()
    assert await config.discover() == await config.discover()
    assert config.times == 3


async def test_the_cache_keeps_so_many_manifests(config: Config) -> None:
    config.plugin()
    await config.discover()
    [first] = config.kept
    for number in range(300):
        first.with_name(f"{number}.json").touch()
    config.plugin(version="2")
    await config.discover()
    assert len(config.kept) == 256
    assert first not in config.kept, "the oldest goes first"
