"""Every control method and the service that answers it.

Made by the daemon for its socket, and by `client.py` for commands that run without a daemon; below lie the services.
What needs a living daemon is given as `Switches`; without one those methods answer `unavailable`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from animus_core.control.errors import to_rpc
from animus_core.control.plugin_table import installation_methods
from animus_core.control.streams import Streams
from animus_core.daemon.runs import Runs
from animus_core.errors import RetryLater
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

    @property
    def providers(self) -> ProviderHost:
        """Who runs the providers."""
        ...

    def moved(self, move: PluginMoved) -> None:
        """A provider went from one state to another."""
        ...


def control_table(project: Project, runs: Runs | None, switches: Switches | None) -> Dispatcher:
    """The handler of control connections."""
    table = Dispatcher(to_rpc)
    _queue_methods(table, QueueService(project))
    _workflow_methods(table, WorkflowService(project, runs))
    subjects = SubjectService(project)
    _subject_methods(table, subjects)
    _daemon_methods(table, project, switches)
    _plugin_methods(table, LivePlugins(project, None if switches is None else switches.providers))
    installation_methods(table, project)
    streams = Streams(project.database, project.bus)
    table.answer(daemon.DAEMON_EVENTS, streams.daemon_events)
    table.answer(workflow.WORKFLOW_EVENTS, streams.workflow_events)
    _subject_stream(table, subjects, streams)
    table.on_cancelled = streams.cancel
    if runs is not None:
        _runner_methods(table, runs)
    if switches is not None:
        moved = switches.moved
        table.hear(PLUGIN_MOVED, lambda told, _: moved(told))
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


def _daemon_methods(table: Dispatcher, project: Project, switches: Switches | None) -> None:
    async def status(params: Empty, _: Asker) -> daemon.DaemonStatus:
        if switches is not None:
            told = await switches.status()
            told.capabilities.methods = sorted(table.methods)
            return told
        root, log = str(project.scope.project_root), str(project.scope.daemon_log)
        queued = (await QueueService(project).stats()).ready
        trust = await asyncio.to_thread(project.trust.check)
        return daemon.DaemonStatus(
            running=False,
            project_root=root,
            log_path=log,
            paused=project.state.paused,
            queued=queued,
            untrusted=None if trust.trusted else trust.reason,
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
        raise RetryLater("no daemon is running", hint="Start it: animus daemon start")
    return switches


def _runner_methods(table: Dispatcher, runs: Runs) -> None:
    async def hello(told: runner_wire.RunnerHello, asker: Asker) -> Empty:
        runs.hello(told, asker.peer)
        return Empty()

    table.answer(runner_wire.RUNNER_HELLO, hello)
    table.hear(runner_wire.RUNNER_DOORBELL, lambda told, _: runs.rang(told))
