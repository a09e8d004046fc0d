"""A control method answered in this process, where no daemon runs: the same table, the same JSON.

Below lie the table and the project that it serves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from animus_core.control.errors import refusal_of
from animus_core.control.local import open_project
from animus_core.control.methods import Answer, Question
from animus_core.control.table import control_table
from animus_core.errors import AnimusError
from animus_core.store.paths import Scope
from animus_protocol.errors import ProtocolError

__all__ = ["answer_here"]


def answer_here(scope: Scope, questions: Sequence[Question[Answer]]) -> list[Answer]:
    """What the daemon would answer to each of `questions`, in turn; the caller holds its lock.

    Raises AnimusError for the first that is refused.
    """
    # Without a handler, logging prints warnings to stderr by itself, into the envelope of a failure.
    logging.getLogger("animus").addHandler(logging.NullHandler())

    async def run() -> list[Answer]:
        async with open_project(scope) as project:
            table = control_table(project, None, None)
            answers: list[Answer] = []
            for question in questions:
                try:
                    answers.append(await table.call_json(question.method, question.params))
                # It is an error of the core already, with its class and its hint: `from_protocol` would lose both.
                except AnimusError:
                    raise
                except ProtocolError as error:
                    raise refusal_of(error, question.method, question.params) from error
            return answers

    return asyncio.run(run())
