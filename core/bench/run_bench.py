"""What the host and the SDK cost beside others, in one run: prints a table, and with `--json` one object last.

Run by `make bench` with the Python of `.venv-bench`. Everything is pinned to one CPU; rounds are interleaved, and only
ratios taken within one round count. Exit 1 when a contender does not work, never because of a figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from contenders.cells import Order
from drivers import COMMANDS, Driver, DriverFailed, left_out
from figures import ABSOLUTES, BIG_BYTES, FIGURES, Cell, Ratio, Round, absolute, ratio
from rich import box
from rich.console import Console
from rich.table import Table

PACKAGES: Final = ("pydantic", "anyio", "mcp", "python-lsp-jsonrpc", "pygls", "grpcio")
UNPINNED: Final = ("raw", "floor", "animus", "lspjsonrpc", "mcp")
SEQUENTIAL: Final = ("sequential", "sequential_inline")
BUSY_LOAD: Final = 1.0


class Plan(NamedTuple):
    """How much is measured: `rounds` count, the first one is a warm-up and does not."""

    rounds: int
    unpinned_rounds: int
    cells: tuple[Order, ...]


FULL: Final = Plan(
    rounds=10,
    unpinned_rounds=8,
    cells=(
        Order("sequential", 0.4),
        Order("sequential_inline", 0.4),
        Order("concurrent", 0.4),
        Order("concurrent_inline", 0.4),
        Order("notifications", 0.0, 100_000),
        Order("big_frames", 0.4, BIG_BYTES),
        Order("spawn", 0.4),
    ),
)
QUICK: Final = Plan(
    rounds=4,
    unpinned_rounds=2,
    cells=tuple(order._replace(seconds=order.seconds / 4) for order in FULL.cells),
)


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="three short rounds instead of nine")
    args = parser.parse_args()
    console = Console()
    plan = QUICK if args.quick else FULL
    began, load = time.monotonic(), os.getloadavg()[0]
    if load > BUSY_LOAD:
        console.print(f"The machine is busy (load {load:.1f}): the extremes will be far apart.", highlight=False)
    try:
        pinned, unpinned = measure(plan)
    except DriverFailed as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    figures = {figure.name: ratio(figure, pinned) for figure in FIGURES}
    machine = about_machine(time.monotonic() - began, len(pinned), load)
    print_tables(console, figures, pinned, unpinned)
    console.print(
        " · ".join(f"{name} {value}" for name, value in machine.items()), style="dim", highlight=False, soft_wrap=True
    )
    for name, why in left_out().items():
        console.print(f"left out: {name}: {why}", highlight=False)
    if args.json:
        console.file.write(json.dumps(as_json(figures, pinned, unpinned, machine)) + "\n")
    return 0


def measure(plan: Plan) -> tuple[list[Round], list[Round]]:
    """All rounds pinned to one CPU, then the sequential ones on all. Raises DriverFailed."""
    out = left_out()
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    try:
        pinned = rounds_of([name for name in COMMANDS if name not in out], plan.cells, plan.rounds)
    finally:
        os.sched_setaffinity(0, cpus)
    sequential = [order for order in plan.cells if order.cell in SEQUENTIAL]
    return pinned, rounds_of(UNPINNED, sequential, plan.unpinned_rounds)


def rounds_of(contenders: Sequence[str], cells: Sequence[Order], rounds: int) -> list[Round]:
    """Interleaved: a cell goes through all contenders before the next one comes. The first round is dropped."""
    with ExitStack() as stack:
        drivers = [stack.enter_context(Driver(name)) for name in contenders]
        return [one_round(drivers, cells) for _ in range(rounds)][1:]


def one_round(drivers: Sequence[Driver], cells: Sequence[Order]) -> Round:
    """Every cell of every contender that has it."""
    rates: dict[Cell, float] = {}
    for order in cells:
        for driver in drivers:
            if order.cell in driver.cells:
                rates[driver.name, order.cell] = driver.ask(order)
    return rates


def about_machine(seconds: float, rounds: int, load: float) -> dict[str, Any]:
    """What one has to know to read the figures; `load` is that of the last minute before the first round."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count() or 0,
        "load": round(load, 2),
        "rounds": rounds,
        "seconds": round(seconds),
        **{name: version(name) for name in PACKAGES},
    }


def unpinned_figures(unpinned: Sequence[Round]) -> dict[str, Ratio]:
    """The sequential ratios once more, with the two processes on CPUs of their own."""
    found = {}
    for figure in FIGURES:
        if figure.ours[1] in SEQUENTIAL and (value := ratio(figure, unpinned)) is not None:
            found[figure.name] = value
    return found


def print_tables(
    console: Console, figures: Mapping[str, Ratio | None], pinned: Sequence[Round], unpinned: Sequence[Round]
) -> None:
    """Ratios with their goals, then the absolute figures."""
    beside = unpinned_figures(unpinned)
    table = Table("figure", "median", "min … max", "goal", "", "unpinned", box=box.SIMPLE)
    for figure in FIGURES:
        value = figures[figure.name]
        if value is None:
            continue
        met = "" if figure.goal is None else "✓" if figure.goal.met(value.median) else "✗"
        spread = f"{value.low:.3g} … {value.high:.3g}"
        aside = f"{beside[figure.name].median:.3g}" if figure.name in beside else ""
        table.add_row(figure.name, f"{value.median:.3g}", spread, str(figure.goal or ""), met, aside)
    console.print(table)
    table = Table("absolute, pinned", "median", "", box=box.SIMPLE)
    for row in ABSOLUTES:
        if (plain := absolute(row, pinned)) is not None:
            table.add_row(row.name, f"{plain:,.1f}", row.unit)
    console.print(table)


def as_json(
    figures: Mapping[str, Ratio | None], pinned: Sequence[Round], unpinned: Sequence[Round], machine: Mapping[str, Any]
) -> dict[str, Any]:
    """The object of `--json`: medians under `host`, extremes under `spread`; null where nothing was measured."""
    return {
        "host": {name: None if value is None else round(value.median, 4) for name, value in figures.items()},
        "spread": {name: [round(v.low, 4), round(v.high, 4)] for name, v in figures.items() if v is not None},
        "goals": {figure.name: str(figure.goal) for figure in FIGURES if figure.goal is not None},
        "unpinned": {name: round(value.median, 4) for name, value in unpinned_figures(unpinned).items()},
        "absolute": {row.name: _rounded(absolute(row, pinned)) for row in ABSOLUTES},
        "machine": {**machine, "left_out": left_out()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


if __name__ == "__main__":
    sys.exit(main())
