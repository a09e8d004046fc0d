"""Which figures there are, what they should reach, and the arithmetic: paired ratios, their median and their spread.

Called by `run_bench.py`; pure, so that a test can hold it to its word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

__all__ = [
    "ABSOLUTES",
    "BIG_BYTES",
    "FIGURES",
    "Absolute",
    "Cell",
    "Figure",
    "Goal",
    "Ratio",
    "Round",
    "absolute",
    "ratio",
]

Cell = tuple[str, str]
"""A contender and what it does."""

Round = Mapping[Cell, float]
"""What every cell reached in one round, in things a second."""

BIG_BYTES: Final = 8 * 1024 * 1024
"""The text of a big frame; it travels there and back."""

_MB_A_TRIP: Final = 2 * BIG_BYTES / 1e6
_PEERS: Final = ("mcp", "lspjsonrpc", "vscode", "pygls", "grpc")


class Goal(NamedTuple):
    """At least or at most so much."""

    limit: float
    at_least: bool = True

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def met(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return value >= self.limit if self.at_least else value <= self.limit


class Figure(NamedTuple):
    """One cell in relation to another: of their rates, or (`of_times`) of the times that one thing takes."""

    name: str
    ours: Cell
    theirs: Cell
    goal: Goal | None = None
    of_times: bool = False


class Absolute(NamedTuple):
    """A cell's own value in `unit`: its rate times `scale`, or (`of_times`) `scale` divided by its rate."""

    name: str
    cell: Cell
    unit: str = "/s"
    scale: float = 1.0
    of_times: bool = False


class Ratio(NamedTuple):
    """The median of one ratio a round, and the extremes."""

    median: float
    low: float
    high: float


_CALL_GOALS: Final[Mapping[str, Goal]] = {
    "seq_vs_raw": Goal(0.10),
    "seq_vs_floor": Goal(0.35),
    "seq_vs_mcp": Goal(25),
    "c64_vs_mcp": Goal(60),
    "seq_vs_lspjsonrpc": Goal(1.1),
    "c64_vs_lspjsonrpc": Goal(1.5),
    "seq_vs_vscode": Goal(4),
}


def _calls(prefix: str, suffix: str) -> Iterator[Figure]:
    """The figures of a call whose handler is awaited, or (`inline_`, `_inline`) is a plain function."""
    pairs = [("seq", "sequential", "raw"), ("seq", "sequential", "floor")]
    for peer in _PEERS:
        pairs += [("seq", "sequential", peer), ("c64", "concurrent", peer)]
    for short, cell, peer in pairs:
        name = f"{short}_vs_{peer}"
        yield Figure(f"{prefix}{name}", ("animus", f"{cell}{suffix}"), (peer, cell), _CALL_GOALS.get(name))


FIGURES: Final = (
    *_calls("", ""),
    Figure("notifications_vs_floor", ("animus", "notifications"), ("floor", "notifications"), Goal(0.8)),
    Figure("big_frames_vs_floor", ("animus", "big_frames"), ("floor", "big_frames")),
    Figure("spawn_vs_bare", ("animus", "spawn"), ("floor", "spawn"), Goal(10, at_least=False), of_times=True),
    Figure("spawn_vs_mcp", ("animus", "spawn"), ("mcp", "spawn"), Goal(0.2, at_least=False), of_times=True),
    *_calls("inline_", "_inline"),
)

ABSOLUTES: Final = (
    *(Absolute(f"{name}_seq_per_s", (name, "sequential")) for name in ("raw", "floor", "animus", *_PEERS)),
    *(Absolute(f"{name}_c64_per_s", (name, "concurrent")) for name in ("animus", *_PEERS)),
    Absolute("animus_inline_seq_per_s", ("animus", "sequential_inline")),
    Absolute("animus_inline_c64_per_s", ("animus", "concurrent_inline")),
    Absolute("floor_notifications_per_s", ("floor", "notifications")),
    Absolute("animus_notifications_per_s", ("animus", "notifications")),
    Absolute("floor_big_frames_mb_per_s", ("floor", "big_frames"), "MB/s", _MB_A_TRIP),
    Absolute("animus_big_frames_mb_per_s", ("animus", "big_frames"), "MB/s", _MB_A_TRIP),
    Absolute("bare_spawn_ms", ("floor", "spawn"), "ms", 1000.0, of_times=True),
    Absolute("animus_spawn_ms", ("animus", "spawn"), "ms", 1000.0, of_times=True),
    Absolute("mcp_spawn_ms", ("mcp", "spawn"), "ms", 1000.0, of_times=True),
)


def ratio(figure: Figure, rounds: Sequence[Round]) -> Ratio | None:
    """The paired ratio: each round's own, so that what slows a whole round cancels; None if it was not measured."""
    found = []
    for rates in rounds:
        if figure.ours in rates and figure.theirs in rates:
            value = rates[figure.ours] / rates[figure.theirs]
            found.append(1 / value if figure.of_times else value)
    return Ratio(median(found), min(found), max(found)) if found else None


def absolute(row: Absolute, rounds: Sequence[Round]) -> float | None:
    """The median over the rounds; None where the cell was not measured."""
    found = [rates[row.cell] for rates in rounds if row.cell in rates]
    if not found:
        return None
    return row.scale / median(found) if row.of_times else row.scale * median(found)
