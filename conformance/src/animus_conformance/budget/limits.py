"""The budget: how many times the reference's cost a plugin may cost.

Read by the CLI from `--budget FILE`; below it lies tomllib.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from animus_conformance.errors import BadSettings

__all__ = ["Budget", "Ratios", "read_budget"]


@dataclass(frozen=True)
class Budget:
    """Ratios to the reference plugin: start to first reply, time of a ping, pings a second with 64 in flight, memory.

    The first, second and fourth are upper limits, `throughput` is a lower one.
    """

    start_up: float = 40.0
    latency: float = 12.0
    throughput: float = 0.1
    memory: float = 15.0


class Ratios(NamedTuple):
    """The plugin's figure divided by the reference's; 1 is as good as doing nothing."""

    start_up: float
    latency: float
    throughput: float
    memory: float


def read_budget(path: Path) -> Budget:
    """The limits of a TOML file (`start_up = 20.0`); what it does not name keeps its default. Raises BadSettings."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    known = {one.name for one in fields(Budget)}
    for name, value in document.items():
        if name not in known:
            raise BadSettings(f"{path}: {name}: unknown; known are {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise BadSettings(f"{path}: {name}: expected a number above 0, not {value!r}")
    return Budget(**{name: float(value) for name, value in document.items()})
