"""A planted fault: a runner journals its intent when the effect is over. Loaded by every core process of one test."""

from typing import Any

from animus_core.journal.kinds import Kind
from animus_core.journal.writer import JournalWriter

_append = JournalWriter.append
_late: list[Any] = []


def _append_late(self: JournalWriter, kind: str, data: Any, *, sync: bool) -> Any:
    if kind == Kind.PHASE_INTENT:
        _late.append((kind, data))
        return self.position
    if kind == Kind.PHASE_OUTCOME:
        for held_back in _late:
            _append(self, *held_back, sync=True)
        _late.clear()
    return _append(self, kind, data, sync=sync)


JournalWriter.append = _append_late
