"""Measures the Python process that executes this before anything else: a `.pth` of `.venv-coverage` does, in each.

No environment variable asks for it, since runners and plugins get a short environment that has none of ours. So every
process counts that is started with that Python. Two do not: the launcher of plugins and commands (`-S`), until it is
one of them, and who is killed by SIGKILL, which loses what was counted.
"""

import os
import sys
from pathlib import Path

import coverage

_CONFIG = Path(__file__).parents[2] / "pyproject.toml"
_DATA = Path(sys.prefix, "measured")  # made by `make coverage`; while it is not there, nobody measures
_SYSMON = (3, 12)  # from there on Python itself tells which lines are executed, at nearly no cost


def _start() -> None:
    variables = {"COVERAGE_PROCESS_START": str(_CONFIG), "ANIMUS_COVERAGE_DATA": str(_DATA / "data")}
    if sys.version_info >= _SYSMON:
        variables["COVERAGE_CORE"] = "sysmon"
    os.environ.update(variables)
    try:
        coverage.process_startup()
    finally:
        for name in variables:  # so that nobody inherits them, and no test of an environment finds them
            del os.environ[name]


if _DATA.is_dir():
    _start()
