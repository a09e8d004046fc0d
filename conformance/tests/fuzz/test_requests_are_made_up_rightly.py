"""What the fuzzing makes up: values of the right type where it says so, and the smallest request that goes wrong."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from animus_conformance import oracle
from animus_conformance.fuzz.search import search
from animus_conformance.fuzz.strategies import nearly_valid_params, valid_value
from animus_conformance.kinds import KINDS
from animus_conformance.verdict import Unproven

METHODS: Final = sorted({method for kind in KINDS.values() for method in kind.methods} | {"initialize", "health/check"})


@pytest.mark.parametrize("method", METHODS)
@settings(
    max_examples=10, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_made_up_params_and_results_are_of_their_types(method: str, data: st.DataObject) -> None:
    types = oracle.method_types(method)
    assert types is not None
    for name in filter(None, types):
        value = data.draw(valid_value(name))
        assert oracle.mismatch(name, value) is None
        json.dumps(value, allow_nan=False)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nearly_right_params_can_always_be_sent(data: st.DataObject) -> None:
    types = oracle.method_types(data.draw(st.sampled_from(METHODS)))
    assert types is not None
    json.dumps(data.draw(nearly_valid_params(types.params)), allow_nan=False).encode()


def asked_for(method: str, examples: int) -> list[Any]:
    sent: list[Any] = []

    def ask(_: str, params: Any) -> None:
        sent.append(params)

    assert search(ask, [method], 1, examples) is None
    return sent


def test_the_same_seed_makes_the_same_requests() -> None:
    assert asked_for("subject/list", 20) == asked_for("subject/list", 20)


def test_what_is_found_is_made_small() -> None:
    def ask(_: str, params: Any) -> str | None:
        return json.dumps(params) if isinstance(params, dict) and "limit" in params else None

    found = search(ask, ["subject/list"], 1, 200)
    assert found is not None
    assert "limit" in json.loads(found)
    assert len(found) < 60


def test_a_plugin_that_cannot_be_asked_any_more_ends_the_search_at_once() -> None:
    asked: list[Any] = []

    def ask(_: str, params: Any) -> str | None:
        asked.append(params)
        if len(asked) == 3:
            raise Unproven("it has ended")
        return None

    with pytest.raises(Unproven, match="it has ended"):
        search(ask, ["subject/list"], 1, 200)
    assert len(asked) == 3


def test_methods_that_cost_something_are_never_asked_rightly() -> None:
    for method in ("agent/run", "agent/resume", "transport/start"):
        types = oracle.method_types(method)
        assert types is not None
        assert all(oracle.mismatch(types.params, params) is not None for params in asked_for(method, 30))
