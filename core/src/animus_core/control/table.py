"""Every control method and the service that answers it.

The daemon serves this table on its socket, and a command that runs without a daemon asks it in its own process; below
lie the services. What needs a living daemon is given as `DaemonOperations`; without them those methods answer
`unavailable`.
"""

from __future__ import annotations

from typing import Protocol

from animus_core.control.errors import to_rpc
from animus_core.control.plugin_table import installation_methods
from animus_core.control.streams import Streams
from animus_core.daemon.registry import RunRegistry
from animus_core.errors import no_daemon
from animus_core.services.daemon_status import DaemonVitals, daemon_status
from animus_core.services.live_plugins import LivePlugins, ProviderHost
from animus_core.services.project import Project
from animus_core.services.queue import QueueService
from animus_core.services.subjects import SubjectService
from animus_core.services.workflows import WorkflowService
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.models import runner as runner_wire
from animus_protocol.models.agent_session import PLUGIN_MOVED, PluginMoved
from animus_protocol.models.base import Empty
from animus_protocol.models.common import Acknowledged, Watching
from animus_protocol.models.control import daemon, plugin, queue, subject, workflow
from animus_protocol.models.subject import SubjectNextParams

__all__ = ["DaemonOperations", "control_table"]


class DaemonOperations(Protocol):
    """What only a living daemon can do."""

    def vitals(self) -> DaemonVitals:
        """What only it can say of itself."""
        ...

    def stop(self, drain_s: float | None) -> None:
        """Begin to stop."""
        ...

    @property
    def providers(self) -> ProviderHost:
        """Who runs the providers."""
        ...

    def moved(self, move: PluginMoved) -> None:
        """A provider went from one state to another."""
        ...


def control_table(project: Project, runs: RunRegistry | None, operations: DaemonOperations | None) -> Dispatcher:
    """The handler of control connections."""
    streams = Streams(project.database, project.commit_signal)
    table = Dispatcher(to_rpc, streams.cancel)
    _queue_methods(table, QueueService(project))
    _workflow_methods(table, WorkflowService(project, runs))
    subjects = SubjectService(project)
    _subject_methods(table, subjects)
    _daemon_methods(table, project, operations)
    _plugin_methods(table, LivePlugins(project, None if operations is None else operations.providers))
    installation_methods(table, project)
    table.answer(daemon.DAEMON_EVENTS, streams.daemon_events)
    table.answer(workflow.WORKFLOW_EVENTS, streams.workflow_events)
    _subject_stream(table, subjects, streams)
    # A command that works without a daemon has no runners to listen to.
    if runs is not None:
        _runner_methods(table, runs)
    if operations is not None:
        moved = operations.moved
        table.on_notification(PLUGIN_MOVED, lambda move, _: moved(move))
    return table


def _plugin_methods(table: Dispatcher, service: LivePlugins) -> None:
    table.answer(plugin.PLUGIN_STATUS, lambda params, _: service.status(params))
    table.answer(plugin.PLUGIN_PING, lambda params, _: service.ping(params))
    table.answer(plugin.PLUGIN_CALL, lambda params, _: service.call(params))
    table.answer(plugin.PLUGIN_RESTART, lambda params, _: service.restart(params))
    table.answer(daemon.DAEMON_HEALTH, lambda params, _: service.health())


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


def _subject_stream(table: Dispatcher, service: SubjectService, streams: Streams) -> None:
    async def watch(params: subject.SubjectWatchParams, asker: Asker) -> Watching:
        return await streams.subject_changes(await service.watches(params), asker)

    table.answer(subject.SUBJECT_WATCH, watch)


def _daemon_methods(table: Dispatcher, project: Project, operations: DaemonOperations | None) -> None:
    async def status(params: Empty, _: Asker) -> daemon.DaemonStatus:
        vitals = None if operations is None else operations.vitals()._replace(methods=table.methods)
        return await daemon_status(project, vitals)

    async def pause(paused: bool) -> Acknowledged:
        project.state.set_paused(paused)
        # At once: resumed work must not wait for the next heartbeat.
        project.commit_signal.nudge()
        return Acknowledged()

    async def stop(params: daemon.DaemonStopParams, _: Asker) -> Acknowledged:
        _required(operations).stop(None if params.drain_secs is None else float(params.drain_secs))
        return Acknowledged()

    async def nudge(params: Empty, _: Asker) -> Acknowledged:
        _required(operations)
        project.commit_signal.nudge()
        return Acknowledged()

    table.answer(daemon.DAEMON_STATUS, status)
    table.answer(daemon.DAEMON_PAUSE, lambda params, _: pause(True))
    table.answer(daemon.DAEMON_RESUME, lambda params, _: pause(False))
    table.answer(daemon.DAEMON_STOP, stop)
    table.answer(daemon.DAEMON_NUDGE, nudge)


def _required(operations: DaemonOperations | None) -> DaemonOperations:
    if operations is None:
        raise no_daemon()
    return operations


def _runner_methods(table: Dispatcher, runs: RunRegistry) -> None:
    async def hello(params: runner_wire.RunnerHello, asker: Asker) -> Empty:
        runs.hello(params, asker.peer)
        return Empty()

    table.answer(runner_wire.RUNNER_HELLO, hello)
    table.on_notification(runner_wire.RUNNER_JOURNAL_ADVANCED, lambda params, _: runs.journal_advanced(params.run))
