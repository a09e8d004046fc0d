"""The fuzzing of a plugin that keeps silent: each look costs the whole patience with an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from animus_conformance.checks.registry import checks
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.patience import Patience
from animus_conformance.run import run_check
from animus_conformance.verdict import CheckVerdict

GOOD: Final = Path(__file__).parents[2] / "zoo" / "good"
HANGS: Final = """\
#!{python}
import sys, threading
sys.path.insert(0, {good!r})
from custom import PLUGIN
plain = PLUGIN._result
def result(method, params, call):
    if method == "health/check" and params != {{}}:
        open({hung!r}, "a").write("x")
        threading.Event().wait()
    return plain(method, params, call)
PLUGIN._result = result
PLUGIN.serve()
"""


async def test_a_find_that_takes_long_is_made_small_for_some_time_and_told(tmp_path: Path) -> None:
    hung = tmp_path / "hung"
    program = tmp_path / "hangs"
    program.write_text(HANGS.format(python=sys.executable, good=str(GOOD), hung=str(hung)))
    program.chmod(0o755)

    options = RunOptions([str(program)], patience=Patience(answer_s=0.5), fuzzing=FuzzOptions(seed=3))
    async with Parts.opened(options) as parts:
        outcome = await run_check(parts, checks()["fuzz.any-params"])
    assert outcome.verdict is CheckVerdict.FAIL
    assert "health/check with " in outcome.reason
    assert "got no answer within 0.5 s" in outcome.reason
    assert len(hung.read_text()) <= 5  # the first, those of three times the patience, and one that had begun by then
