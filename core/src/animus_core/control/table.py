"""Every control method and the service that answers it.

Made by the daemon for its socket, and by `client.py` for commands that run without a daemon; below lie the services.
What needs a living daemon is given as `Switches`; without one those methods answer `unavailable`.
"""

from __future__ import annotations

from typing import Protocol

from animus_core.control.errors import to_rpc
from animus_core.control.streams import Streams
from animus_core.daemon.runs import Runs
from animus_core.errors import Unavailable
from animus_core.services.project import Project
from animus_core.services.queue import QueueService
from animus_core.services.subjects import SubjectService
from animus_core.services.workflows import WorkflowService
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.models import runner as runner_wire
from animus_protocol.models.base import Empty
from animus_protocol.models.common import Acknowledged
from animus_protocol.models.control import daemon, plugin, queue, subject, workflow
from animus_protocol.models.subject import SubjectNextParams

__all__ = ["Switches", "control_table"]


class Switches(Protocol):
    """What only a living daemon can do."""

    async def status(self) -> daemon.DaemonStatus:
        """How it is."""
        ...

    def stop(self, drain_s: float | None) -> None:
        """Begin to stop."""
        ...

    def nudge(self) -> None:
        """Tick soon."""
        ...


def control_table(project: Project, runs: Runs | None, switches: Switches | None) -> Dispatcher:
    """The handler of control connections."""
    table = Dispatcher(to_rpc)
    _queue_methods(table, QueueService(project))
    _workflow_methods(table, WorkflowService(project, runs))
    _subject_methods(table, SubjectService(project))
    _daemon_methods(table, project, switches)
    table.answer(plugin.PLUGIN_LIST, lambda params, _: _plugins(project, params))
    streams = Streams(project.database, project.bus)
    table.answer(daemon.DAEMON_EVENTS, streams.daemon_events)
    table.answer(workflow.WORKFLOW_EVENTS, streams.workflow_events)
    table.on_cancelled = streams.cancel
    if runs is not None:
        _runner_methods(table, runs)
    return table


def _queue_methods(table: Dispatcher, service: QueueService) -> None:
    table.answer(queue.QUEUE_ENQUEUE, lambda params, _: service.enqueue(params))
    table.answer(queue.QUEUE_LIST, lambda params, _: service.list(params))
    table.answer(queue.QUEUE_STATS, lambda params, _: service.stats())
    table.answer(queue.QUEUE_HOLD, lambda params, _: service.change("hold", params.id, params.reason))
    table.answer(queue.QUEUE_RELEASE, lambda params, _: service.change("release", params.id))
    table.answer(queue.QUEUE_DROP, lambda params, _: service.change("drop", params.id))


def _workflow_methods(table: Dispatcher, service: WorkflowService) -> None:
    table.answer(workflow.WORKFLOW_LIST, lambda params, _: service.list(params))
    table.answer(workflow.WORKFLOW_GET, lambda params, _: service.get(params))
    table.answer(workflow.WORKFLOW_RESUME, lambda params, _: service.resume(params))
    table.answer(workflow.WORKFLOW_CANCEL, lambda params, _: service.cancel(params))


def _subject_methods(table: Dispatcher, service: SubjectService) -> None:
    async def following(params: SubjectNextParams, _: Asker) -> subject.SubjectNextResult:
        return subject.SubjectNextResult(subject=await service.next(params.kind))

    table.answer(subject.SUBJECT_LIST, lambda params, _: service.list(params))
    table.answer(subject.SUBJECT_GET, lambda params, _: service.get(params.id))
    table.answer(subject.SUBJECT_STATUS, lambda params, _: service.status(params))
    table.answer(subject.SUBJECT_CREATE, lambda params, _: service.create(params))
    table.answer(subject.SUBJECT_UPDATE, lambda params, _: service.update(params))
    table.answer(subject.SUBJECT_NEXT, following)


def _daemon_methods(table: Dispatcher, project: Project, switches: Switches | None) -> None:
    async def status(params: Empty, _: Asker) -> daemon.DaemonStatus:
        if switches is not None:
            told = await switches.status()
            told.capabilities.methods = sorted(table.methods)
            return told
        root, log = str(project.scope.project_root), str(project.scope.daemon_log)
        queued = (await QueueService(project).stats()).ready
        return daemon.DaemonStatus(
            running=False, project_root=root, log_path=log, paused=project.state.paused, queued=queued
        )

    async def pause(paused: bool) -> Acknowledged:
        project.state.set_paused(paused)
        project.changed()
        return Acknowledged()

    async def stop(params: daemon.DaemonStopParams, _: Asker) -> Acknowledged:
        _living(switches).stop(None if params.drain_secs is None else float(params.drain_secs))
        return Acknowledged()

    async def nudge(params: Empty, _: Asker) -> Acknowledged:
        _living(switches).nudge()
        return Acknowledged()

    table.answer(daemon.DAEMON_STATUS, status)
    table.answer(daemon.DAEMON_PAUSE, lambda params, _: pause(True))
    table.answer(daemon.DAEMON_RESUME, lambda params, _: pause(False))
    table.answer(daemon.DAEMON_STOP, stop)
    table.answer(daemon.DAEMON_NUDGE, nudge)


def _living(switches: Switches | None) -> Switches:
    if switches is None:
        raise Unavailable("no daemon is running", hint="Start it: animus daemon start")
    return switches


def _runner_methods(table: Dispatcher, runs: Runs) -> None:
    async def hello(told: runner_wire.RunnerHello, asker: Asker) -> Empty:
        runs.hello(told, asker.peer)
        return Empty()

    table.answer(runner_wire.RUNNER_HELLO, hello)
    table.hear(runner_wire.RUNNER_DOORBELL, lambda told, _: runs.rang(told))


async def _plugins(project: Project, params: plugin.PluginListParams) -> plugin.PluginListResult:
    found = project.discovery
    shown = [
        plugin.ControlPluginInfo(
            name=one.name,
            version=one.manifest.version,
            kind=one.manifest.plugin_kind,
            source=one.candidate.source,
            signature_verified=False,
            description=one.manifest.description,
            binary_path=one.candidate.command[0],
        )
        for one in found.plugins
        if params.kind is None or params.kind in one.kinds
    ]
    failures = [plugin.PluginWarning(plugin=failure.name, message=failure.message) for failure in found.warnings]
    return plugin.PluginListResult(plugins=shown, warnings=failures if params.include_warnings else [])
