"""Streams of the daemon as JSON lines on standard output, until interrupted: without the envelope.

Below lies the control client.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from animus_core.control.ask import follow_daemon
from animus_core.control.methods import SUBSCRIPTION_CLOSED
from animus_core.errors import RetryLater

if TYPE_CHECKING:
    from animus_core.control import shapes
    from animus_core.control.methods import Question
    from animus_core.store.paths import Scope

__all__ = ["follow"]


def follow(scope: Scope, stream: Question[shapes.Watching], item: str) -> None:
    """Ask for the stream and print the `data` of every notification called `item` until the daemon leaves.

    Raises RetryLater when there is no daemon or it ends the stream, BrokenPipeError when nobody reads any more.
    """

    def show(name: str, content: Any) -> None:
        fields = content if isinstance(content, dict) else {}
        if name == SUBSCRIPTION_CLOSED:
            raise RetryLater(f"the daemon has ended the stream: {fields.get('reason')}")
        if name == item and "data" in fields:
            sys.stdout.write(json.dumps(fields["data"], ensure_ascii=False) + "\n")
            # Each line at once: whoever reads through a pipe waits for it.
            sys.stdout.flush()

    follow_daemon(scope, stream, show)
