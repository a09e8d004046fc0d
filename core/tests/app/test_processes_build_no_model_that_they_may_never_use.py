"""A process of the core is ready sooner because its models are built when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SHOW = """
import importlib, sys
from pydantic import BaseModel
importlib.import_module(sys.argv[1])
waiting = [BaseModel]
while waiting:
    model = waiting.pop()
    waiting += model.__subclasses__()
    if model.__module__.startswith("animus_") and model.__pydantic_complete__:
        print(f"{model.__module__}.{model.__qualname__}")
"""
# A generic model's own class is complete without a build: pydantic builds its parametrized classes only.
_GENERIC = {"animus_protocol.models.common.StreamItem"}


@pytest.mark.parametrize("process", ["daemon", "runner", "agent_runner"])
def test_importing_a_process_builds_no_model(process: str) -> None:
    command = [sys.executable, "-c", _SHOW, f"animus_core.app.{process}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert set(shown.split()) <= _GENERIC
