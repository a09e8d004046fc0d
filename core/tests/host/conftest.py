"""Plugins as small programs without any SDK."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from animus_core.host.finding.discover import Candidate, Plugin
from animus_protocol.models.manifest import PluginManifest

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
MANIFEST = {
    "name": "p",
    "version": "1",
    "plugin_kind": "subject_backend",
    "description": "d",
    "protocol_version": "1.0.0",
}
Program = Callable[..., Path]
MakePlugin = Callable[..., Plugin]


@pytest.fixture
def within() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end, on a loop of its own, in at most 40 s."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(asyncio.wait_for(work, 40))

    return run


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
    """A plugin that is found already; fields of its manifest by keyword."""

    def make(code: str, name: str = "plugin", **manifest: Any) -> Plugin:
        candidate = Candidate(name, (str(program(code, name)),), "registry")
        return Plugin(candidate, PluginManifest.model_validate_json(json.dumps({**MANIFEST, **manifest})))

    return make
