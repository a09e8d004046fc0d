"""`ctx.decide` takes the four verdicts and a confidence from 0 to 1; anything else is refused where it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from animus_protocol.errors import RpcError
from animus_protocol.models.verdict import VerdictWord
from animus_sdk import AgentContext, AgentRunRequest, Provider, Verdict
from animus_sdk.testing import Harness

DECISION: dict[str, Any] = {}
"""What the provider decides; a test sets it."""


class Judge(Provider):
    """Decides what a test has set."""

    name, version = "judge", "1"

    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> str:
        ctx.decide(**DECISION)
        return "decided"


def test_a_verdict_is_written_as_a_word_or_as_a_member_of_the_enumeration() -> None:
    assert get_args(VerdictWord) == tuple(Verdict)


@pytest.mark.parametrize(
    "decision",
    [
        {"verdict": "advance", "reason": "good", "confidence": 0.9, "risk": "low"},
        {"verdict": "rework", "reason": "", "confidence": 0},
        {"verdict": "skip", "reason": "", "confidence": 1},
        {"verdict": "fail", "reason": ""},
        {"verdict": Verdict.REWORK, "reason": "as a member"},
    ],
    ids=lambda decision: repr(decision["verdict"]),
)
async def test_a_good_decision_stands_in_the_result(decision: dict[str, Any], tmp_path: Path) -> None:
    DECISION.clear()
    DECISION.update(decision)
    async with Harness(Judge, project_root=tmp_path) as host:
        result = await host.request("agent/run", {"prompt": "p", "cwd": "/"})
    assert result["decision_verdict"] == decision


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        ({"verdict": "approve"}, "the verdict is 'approve', expected one of 'advance', 'rework', 'skip', 'fail'"),
        ({"verdict": None}, "the verdict is None, expected one of"),
        ({"verdict": "advance", "confidence": 1.1}, "the confidence is 1.1, expected a number from 0 to 1"),
        ({"verdict": "advance", "confidence": -0.1}, "the confidence is -0.1, expected"),
        ({"verdict": "advance", "confidence": float("nan")}, "the confidence is nan, expected"),
        ({"verdict": "advance", "confidence": "high"}, "the confidence is 'high', expected"),
        ({"verdict": "advance", "confidence": True}, "the confidence is True, expected"),
    ],
    ids=str,
)
async def test_a_wrong_decision_is_refused_in_the_line_where_it_is_made(
    decision: dict[str, Any], sentence: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DECISION.clear()
    DECISION.update(decision)
    async with Harness(Judge, project_root=tmp_path) as host:
        with pytest.raises(RpcError) as caught:
            await host.request("agent/run", {"prompt": "p", "cwd": "/"})
    assert caught.value.code == -32603
    assert f"ValueError: ctx.decide: {sentence}" in caplog.text
    assert "ctx.decide(**DECISION)" in caplog.text
