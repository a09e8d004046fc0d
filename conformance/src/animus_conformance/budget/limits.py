"""The budget: how many times the reference's cost a plugin may cost.

`--budget FILE` names limits of one's own. Below it lies tomllib.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from animus_conformance.errors import BadSettings
from animus_conformance.toml_lines import line_of

__all__ = ["Budget", "Ratios", "read_budget"]


@dataclass(frozen=True)
class Budget:
    """Ratios to the reference plugin: start to first reply, time of a ping, pings a second with 64 in flight, memory.

    The first, second and fourth are upper limits, `throughput` is a lower one. `file` says where they were read.
    """

    # Generous, so that they hold on any machine: they are for what is slow by mistake, and no race.
    start_up: float = 40.0
    latency: float = 12.0
    throughput: float = 0.1
    memory: float = 15.0
    file: Path | None = None


class Ratios(NamedTuple):
    """The plugin's figure divided by the reference's; 1 is as good as doing nothing."""

    start_up: float
    latency: float
    throughput: float
    memory: float


def read_budget(path: Path) -> Budget:
    """The limits of a TOML file (`start_up = 20.0`); what it does not name keeps its default. Raises BadSettings."""
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    for name, value in document.items():
        where = f"{path}:{line_of(text, (name,))}: {name}"
        if name not in Ratios._fields:
            raise BadSettings(f"{where}: unknown; known are {', '.join(sorted(Ratios._fields))}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise BadSettings(f"{where}: expected a number above 0, not {value!r}")
    return Budget(**{name: float(value) for name, value in document.items()}, file=path.absolute())
