"""The method table: every name on the wire and the types that travel under it.

Nobody imports it at process start, since it imports every module of models. A row lives beside its types, and this
module only collects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final

from animus_protocol.models import (
    lifecycle,
    log_storage,
    notifier,
    provider,
    queue,
    subject,
    transport,
    trigger,
)
from animus_protocol.models.base import Method
from animus_protocol.models.control import (
    agent as control_agent,
)
from animus_protocol.models.control import (
    daemon as control_daemon,
)
from animus_protocol.models.control import (
    plugin as control_plugin,
)
from animus_protocol.models.control import (
    project as control_project,
)
from animus_protocol.models.control import (
    queue as control_queue,
)
from animus_protocol.models.control import (
    subject as control_subject,
)
from animus_protocol.models.control import (
    workflow as control_workflow,
)

__all__ = ["CONTROL_METHODS", "METHODS"]


def _collected(*modules: ModuleType) -> Mapping[str, Method[Any, Any]]:
    rows: dict[str, Method[Any, Any]] = {}
    for module in modules:
        for row in vars(module).values():
            # `trigger/ack` has two rows, because hosts send both forms (protocol §4): the one with an answer stands for
            # it.
            if isinstance(row, Method) and (row.name not in rows or row.result is not None):
                rows[row.name] = row
    return MappingProxyType(rows)


METHODS: Final = _collected(lifecycle, subject, provider, trigger, transport, log_storage, notifier, queue)
"""What travels between host and plugins, by name; `subject/<verb>` stands for every `<kind>/<verb>`."""

CONTROL_METHODS: Final = _collected(
    control_subject,
    control_plugin,
    control_daemon,
    control_workflow,
    control_agent,
    control_queue,
    control_project,
)
"""What travels on the control socket, by name."""
