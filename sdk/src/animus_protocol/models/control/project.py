"""`project/*` on the control socket: the repository the daemon works for (protocol §5).

Below lies `base`.
"""

from __future__ import annotations

from animus_protocol.models.base import Empty, Method, OrDefault, WireModel
from animus_protocol.models.common import Uint64

__all__ = [
    "PROJECT_INIT",
    "PROJECT_SETUP",
    "PROJECT_STATUS",
    "ProjectCreated",
    "ProjectInitParams",
    "ProjectSetupParams",
    "ProjectStatus",
]


class ProjectInitParams(WireModel):
    """Params of `project/init`; `yes` answers every question beforehand."""

    template: str | None = None
    yes: OrDefault[bool] = False


class ProjectSetupParams(WireModel):
    """Params of `project/setup`."""

    mcp: OrDefault[bool] = False
    start_daemon: OrDefault[bool] = False


class ProjectCreated(WireModel):
    """Result of `project/init` and `project/setup`; `created` is False when nothing had to be made."""

    project_root: str
    repo_scope: str
    created: bool


class ProjectStatus(WireModel):
    """Result of `project/status`."""

    project_root: str
    repo_scope: str
    workflow_definition_count: Uint64
    task_count: Uint64
    active_runs: Uint64
    queue_size: Uint64


PROJECT_INIT = Method("project/init", ProjectInitParams, ProjectCreated, "protocol §5")
PROJECT_SETUP = Method("project/setup", ProjectSetupParams, ProjectCreated, "protocol §5")
PROJECT_STATUS = Method("project/status", Empty, ProjectStatus, "protocol §5")
