"""Looks for a request that a plugin answers wrongly, and makes what it finds as small as it can.

Hypothesis is synchronous, so this runs on a thread of its own. Below it lie the strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from animus_conformance import oracle
from animus_conformance.fuzz.strategies import any_json, nearly_valid_params
from animus_conformance.method_names import canonical

__all__ = ["search"]

_WRONG_ONLY: Final = frozenset({"agent/run", "agent/resume", "transport/start"})
"""Methods that cost money or open ports when they are asked rightly: only params of wrong types are sent."""


class _WrongAnswer(Exception):
    """A request that is answered wrongly."""


class _NoAnswer(BaseException):
    """Nobody can be asked any more. No Exception, which hypothesis would take for a find and look at more closely."""

    def __init__(self, why: Exception) -> None:
        super().__init__(why)
        self.why = why


def search(ask: Callable[[str, Any], str | None], methods: Sequence[str], number: int, examples: int) -> str | None:
    """`ask` says what is wrong with the answer to a method and params; the smallest find, or None.

    What `ask` raises ends the search, and is raised.
    """
    found: list[str] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,  # the seed alone decides, on every machine
        deadline=None,  # the plugin's answers have deadlines of their own
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,  # one find is one reason
        print_blob=False,
    )
    @given(_requests(methods))
    def every_answer_is_sound(request: tuple[str, Any]) -> None:
        try:
            wrong = ask(*request)
        except Exception as error:  # whatever it is, nothing is to be made smaller because of it; raised below
            raise _NoAnswer(error) from error
        if wrong is not None:
            found.append(wrong)
            raise _WrongAnswer(wrong)

    try:
        every_answer_is_sound()
    except _NoAnswer as none:
        raise none.why from None
    except _WrongAnswer:
        return found[-1]
    except Flaky:
        return f"{found[0]} (not every time: it may depend on what was asked before)"
    return None


def _requests(methods: Sequence[str]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.one_of(*(st.tuples(st.just(method), _params(canonical(method))) for method in methods))


def _params(method: str) -> st.SearchStrategy[Any]:
    types = oracle.method_types(method)
    if types is None:
        return any_json()
    if method in _WRONG_ONLY:
        return st.fixed_dictionaries({name: st.integers() for name in oracle.definition(types.params)["required"]})
    return nearly_valid_params(types.params)
