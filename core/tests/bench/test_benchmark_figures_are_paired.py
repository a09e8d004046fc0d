"""The benchmark's arithmetic and its answers; never how quick anything is."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCH: Final = Path(__file__).parents[2] / "bench"
PROMISED: Final = {
    *("seq_vs_raw", "seq_vs_floor", "notifications_vs_floor", "big_frames_vs_floor", "spawn_vs_bare", "spawn_vs_mcp"),
    *(f"{how}_vs_{peer}" for how in ("seq", "c64") for peer in ("mcp", "lspjsonrpc", "pygls", "grpc", "vscode")),
}
RATES: Final = st.floats(min_value=0.01, max_value=1e6)


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """`run_bench.py` as its own folder would import it; nothing of that is left behind."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("run_bench")
    finally:
        sys.path.remove(str(BENCH))
        for name in set(sys.modules) - before:
            if str(BENCH) in (getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]


def named(bench: ModuleType, name: str):
    return next(figure for figure in bench.FIGURES if figure.name == name)


@given(rounds=st.lists(st.tuples(RATES, RATES, RATES), min_size=1, max_size=9))
def test_a_round_in_which_everything_is_slower_changes_no_ratio(bench, rounds):
    figure = named(bench, "seq_vs_raw")
    as_it_is = [{figure.ours: ours, figure.theirs: theirs} for ours, theirs, _ in rounds]
    slowed = [{figure.ours: ours / by, figure.theirs: theirs / by} for ours, theirs, by in rounds]
    assert bench.ratio(figure, slowed) == pytest.approx(bench.ratio(figure, as_it_is))


def test_a_figure_is_the_median_of_the_rounds_with_its_extremes(bench):
    figure = named(bench, "seq_vs_raw")
    rounds = [{figure.ours: ours, figure.theirs: theirs} for ours, theirs in ((1.0, 10.0), (6.0, 20.0), (1.0, 5.0))]
    assert bench.ratio(figure, rounds) == pytest.approx((0.2, 0.1, 0.3))


def test_a_figure_of_times_is_larger_when_ours_takes_longer(bench):
    figure = named(bench, "spawn_vs_bare")
    starts_a_second = {figure.ours: 4.0, figure.theirs: 40.0}
    assert bench.ratio(figure, [starts_a_second]).median == pytest.approx(10.0)
    assert figure.goal.met(10.0)
    assert not figure.goal.met(10.1)
    milliseconds = next(row for row in bench.ABSOLUTES if row.name == "animus_spawn_ms")
    assert bench.absolute(milliseconds, [starts_a_second]) == pytest.approx(250.0)


def test_the_json_object_has_every_figure_and_null_for_what_was_not_measured(bench):
    rounds = [{("animus", "sequential"): 5.0, ("floor", "sequential"): 20.0}]
    figures = {figure.name: bench.ratio(figure, rounds) for figure in bench.FIGURES}
    answer = json.loads(json.dumps(bench.as_json(figures, rounds, rounds, {"cpus": 1})))
    assert answer.keys() == {"host", "spread", "goals", "unpinned", "absolute", "machine"}
    assert answer["host"].keys() >= PROMISED
    assert {name for name, value in answer["host"].items() if value is not None} == {"seq_vs_floor"}
    assert answer["host"]["seq_vs_floor"] == answer["unpinned"]["seq_vs_floor"] == 0.25
    assert answer["absolute"]["floor_seq_per_s"] == 20.0


def test_every_figure_compares_contenders_that_there_are(bench):
    answer = {cell[0] for figure in bench.FIGURES for cell in (figure.ours, figure.theirs)}
    assert answer == set(bench.COMMANDS)


def test_a_contender_answers_orders_until_it_is_not_asked_any_more(bench):
    with bench.Driver("raw") as driver:
        assert driver.cells == {"sequential"}
        assert all(driver.ask(bench.Order("sequential", 0.01)) > 0 for _ in range(3))


def test_a_contender_that_does_not_work_is_named_with_its_last_words(bench, monkeypatch):
    monkeypatch.setitem(bench.COMMANDS, "raw", (sys.executable, "-c", "raise SystemExit('no pipe today')"))
    with pytest.raises(bench.DriverFailed, match=r"raw ended(.|\n)*no pipe today"), bench.Driver("raw"):
        pass
