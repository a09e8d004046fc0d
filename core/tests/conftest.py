"""Plugins as small programs without any SDK; wheels made by hand, of the standard library alone; a cache to share."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from animus_core.launch_options import LaunchOptions, SessionTimings
from animus_core.supply.discovery.discover import Candidate, Plugin
from animus_protocol.models.manifest import PluginManifest

PLUGIN = """\
import json, os, sys, time

def main():
    if sys.argv[1:] == ["--manifest"]:
        print(json.dumps({manifest!r}))
        return 0
{body}
"""
MANIFEST = {"plugin_kind": "notifier", "description": "made by a test", "protocol_version": "1.0.0"}


class Wheels:
    """Builds wheels, and source folders with a build backend of their own, into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plugin(self, name: str, version: str = "0.1", *, body: str = "    return 1", **manifest: object) -> str:
        """The code of a plugin: what `main()` does beside its manifest, and more fields of the manifest."""
        return PLUGIN.format(manifest={**MANIFEST, "name": name, "version": version, **manifest}, body=body)

    def build(
        self,
        name: str,
        version: str = "0.1",
        *,
        code: str | None = None,
        points: Iterable[str] | None = None,
        scripts: Iterable[str] | None = None,
        requires: str | None = None,
        author: str = "Ada Lovelace",
        **others: str,
    ) -> Path:
        """A wheel of one module, and `others` by name.

        `points` are its entry points (its own name), `scripts` its console scripts (those).
        """
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        points = [name] if points is None else list(points)
        scripts = points if scripts is None else list(scripts)
        groups = {"console_scripts": scripts, "animus.plugins": points}
        sections = [f"[{group}]\n" + "".join(f"{one} = {module}:main\n" for one in groups[group]) for group in groups]
        needs = f"Author: {author}\n" + (f"Requires-Dist: {requires}\n" if requires else "")
        return write_wheel(
            self.folder / f"{module}-{version}-py3-none-any.whl",
            {
                f"{module}.py": self.plugin(name, version) if code is None else code,
                **{f"{other}.py": text for other, text in others.items()},
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
                f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{info}/entry_points.txt": "\n".join(sections),
            },
        )

    def source(self, name: str, *, hook: str = "") -> Path:
        """A folder with pyproject.toml and a backend that needs nothing else; `hook` is run by it before it builds."""
        folder = self.folder / f"source-of-{name}"
        folder.mkdir()
        module = name.replace("-", "_")
        (folder / f"{module}.py").write_text(self.plugin(name))
        (folder / "pyproject.toml").write_text(
            f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "0.1"\n'
        )
        (folder / "backend.py").write_text(BACKEND.format(name=name, module=module, hook=textwrap.indent(hook, "    ")))
        return folder


BACKEND = """\
import base64, hashlib, os, sys, zipfile

NAME, MODULE = {name!r}, {module!r}

def write(folder, files):
    pass
{hook}
    info = MODULE + "-0.1.dist-info"
    files[info + "/METADATA"] = "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: 0.1\\n"
    files[info + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    line = NAME + " = " + MODULE + ":main\\n"
    files[info + "/entry_points.txt"] = "[console_scripts]\\n" + line + "[animus.plugins]\\n" + line
    files[info + "/RECORD"] = "".join(name + ",,\\n" for name in [*files, info + "/RECORD"])
    name = MODULE + "-0.1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, {{MODULE + ".py": open(MODULE + ".py").read()}})

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, {{MODULE + ".pth": os.getcwd() + "\\n"}})
"""


def write_wheel(path: Path, files: dict[str, str]) -> Path:
    """A wheel of these files, with its RECORD."""
    info = next(name for name in files if name.endswith("/WHEEL")).rpartition("/")[0]
    lines = []
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(text.encode())}\n")
        wheel.writestr(f"{info}/RECORD", "".join([*lines, f"{info}/RECORD,,\n"]))
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    """A folder of wheels, which is all that pip can find."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Wheels(folder)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was asked of the installed plugins stays known from test to test, as it does for a person.

    Also from one of pytest's workers to the other: to ask all of them takes seconds.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """A shell's background job starts with SIGINT ignored, and all that it starts would ignore it, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


HEAD = """\
import json, os, signal, subprocess, sys, threading

def send(value):
    sys.stdout.write((value if isinstance(value, str) else json.dumps(value)) + "\\n")
    sys.stdout.flush()

def reply(request, result):
    send({"jsonrpc": "2.0", "id": request["id"], "result": result})

def refuse(request, code=-32602, message="no"):
    send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}})

GREETING = {"protocol_version": "1.0.0", "plugin_info": {"name": "p", "version": "1", "plugin_kind": "subject_backend"},
            "capabilities": {"methods": []}}

def receive():
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request and "method" in request:
            yield request
"""
PLUGIN_MANIFEST = {
    "name": "p",
    "version": "1",
    "plugin_kind": "subject_backend",
    "description": "d",
    "protocol_version": "1.0.0",
}
QUICK_TIMINGS = SessionTimings(shutdown_s=0.3, exit_s=0.3, term_s=0.3)
Program = Callable[..., Path]
MakePlugin = Callable[..., Plugin]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """An executable file of Python code, with the helpers of HEAD before it."""

    def write(code: str, name: str = "plugin") -> Path:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{HEAD}\n{code}")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def make_plugin(program: Program) -> MakePlugin:
    """A plugin that is found already and not waited for long; fields of its manifest by keyword."""

    def make(code: str, name: str = "plugin", *, timings: SessionTimings = QUICK_TIMINGS, **manifest: Any) -> Plugin:
        candidate = Candidate(name, (str(program(code, name)),), "registry", LaunchOptions(timings=timings))
        return Plugin(candidate, PluginManifest.model_validate_json(json.dumps({**PLUGIN_MANIFEST, **manifest})))

    return make


@pytest.fixture
def executable(tmp_path: Path, wheels: Wheels) -> Callable[..., Path]:
    """An executable file that is a plugin."""

    def write(name: str, **manifest: object) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{wheels.plugin(name, **manifest)}\nsys.exit(main())\n")
        path.chmod(0o755)
        return path

    return write
