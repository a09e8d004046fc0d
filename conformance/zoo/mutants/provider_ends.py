"""Mutants of a provider: how runs are cancelled, and how sessions are resumed."""

from __future__ import annotations

import threading

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, Refusing

from mutants.provider import RUN, UNAVAILABLE, session_of

CANCEL = "agent/cancel"
RESUME = "agent/resume"
CANCELLED = -32002
START_S = 0.2


class CancelAnswered(AnsweredOtherwise):
    """Changes the answer to agent/cancel."""

    method = CANCEL


class CancelledEnd(Mutation):
    """Changes the end of a cancelled run: override `end_of`."""

    methods: tuple[str, ...] = (RUN,)

    def end_of(self, request: Message, reply: Message) -> Sent:
        """What comes instead of the answer to a run that was cancelled."""
        raise NotImplementedError

    def answers(self, request: Message, reply: Message) -> Sent:
        ended = request["method"] in self.methods and reply.get("error", {}).get("code") == CANCELLED
        return self.end_of(request, reply) if ended else reply


class CancelledInWordsOnly(Mutation):
    """Answers agent/cancel by itself while a session that `method` has asked for runs, and lets it go on."""

    method: str
    cancelled: bool

    def __init__(self) -> None:
        self._running: set[str | None] = set()

    def asked(self, request: Message) -> Message | None:
        session_id = session_of(request)
        if request["method"] == self.method:
            self._running.add(session_id)
        if request["method"] == CANCEL and session_id and session_id in self._running:
            self.say(self.result(request, {"session_id": session_id, "cancelled": self.cancelled}))
            return None
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == self.method:
            self._running.discard(session_of(request))
        return reply


class LateCancel(Mutation):
    """Changes the answer to agent/cancel of a session whose run is over: override `late`."""

    def __init__(self) -> None:
        self._over: set[str] = set()

    def late(self, reply: Message) -> Sent:
        """What comes instead of the answer to agent/cancel."""
        raise NotImplementedError

    def answers(self, request: Message, reply: Message) -> Sent:
        session_id = session_of(request)
        if session_id and request["method"] == RUN and "result" in reply:
            self._over.add(session_id)
        return self.late(reply) if request["method"] == CANCEL and session_id in self._over else reply


# agent/cancel


@mutant("provider.cancel.result-has-its-type", base="provider")
class AnswersCancelWithNothing(CancelAnswered):
    """Answers agent/cancel with an empty object."""

    def changed(self, params: Any, result: Any) -> Any:
        return {}


@mutant("provider.cancel.result-has-its-type", base="provider")
class SaysOkToCancel(CancelAnswered):
    """Says ok where cancelled belongs."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"session_id": result["session_id"], "ok": True}


@mutant("provider.cancel.result-has-its-type", base="provider")
class RefusesACancelThatWorked(Mutation):
    """Cancels, and answers with an error."""

    def answers(self, request: Message, reply: Message) -> Sent:
        worked = request["method"] == CANCEL and reply.get("result", {}).get("cancelled")
        return self.refusal(request, UNAVAILABLE) if worked else reply


@mutant("provider.cancel.names-its-session", base="provider")
class CancelsUnderAnotherName(CancelAnswered):
    """Names its own backend's session in the answer to agent/cancel."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "session_id": "agent-1"}


@mutant("provider.cancel.ends-the-run", base="provider")
class OnlySaysThatItCancels(CancelledInWordsOnly):
    """Answers agent/cancel, and lets the run go on."""

    method = RUN
    cancelled = True


@mutant("provider.cancel.ends-the-run", base="provider")
class NeverAnswersACancelledRun(CancelledEnd):
    """Ends a cancelled run without an answer."""

    methods = (RUN, RESUME)

    def end_of(self, request: Message, reply: Message) -> Sent:
        return None


@mutant("provider.cancel.run-ends-as-cancelled", base="provider")
class EndsLikeAGoodRun(CancelledEnd):
    """Ends a cancelled run with the exit code 0."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        session_id = request["params"]["session_id"]
        result = {"session_id": session_id, "exit_code": 0, "output": "1 2 ", "duration_ms": 20, "backend": "sentences"}
        return self.result(request, result)


@mutant("provider.cancel.run-ends-as-cancelled", base="provider")
class EndsAsUnavailable(CancelledEnd):
    """Ends a cancelled run with -32603."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, UNAVAILABLE)


@mutant("provider.cancel.tells-the-truth", base="provider")
class DeniesThatItCancelled(CancelAnswered):
    """Says that there was nothing to cancel, always."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "cancelled": False}


@mutant("provider.cancel.error-is-not-recoverable", base="provider")
class CallsTheEndRecoverable(Mutation):
    """Reports the end of a cancelled run as an error that it recovers from."""

    def notifies(self, notification: Message) -> Sent:
        if notification["method"] == "agent/error":
            notification["params"]["recoverable"] = True
        return notification


@mutant("provider.cancel.silence-afterwards", base="provider")
class SpeaksAfterItsEnd(CancelledEnd):
    """Tells one more piece after the end of a cancelled run."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        params = {"session_id": request["params"]["session_id"], "text": "and so on"}
        return [reply, {"jsonrpc": "2.0", "method": "agent/output", "params": params}]


@mutant("provider.cancel.right-behind-the-run", base="provider")
class LosesAnEarlyCancel(Mutation):
    """Takes a while to start a long run, and forgets a cancel that comes meanwhile."""

    def __init__(self) -> None:
        self._starting: set[str | None] = set()

    def asked(self, request: Message) -> Message | None:
        session_id = session_of(request)
        if request["method"] == RUN and "numbers" in str(request.get("params")):
            self._starting.add(session_id)
            threading.Timer(START_S, self._start, [request]).start()
            return None
        if request["method"] == CANCEL and session_id in self._starting:
            self.say(self.result(request, {"session_id": session_id, "cancelled": True}))
            return None
        return request

    def _start(self, request: Message) -> None:
        self._starting.discard(session_of(request))
        self.pass_on(request)


@mutant("provider.cancel.spares-other-sessions", base="provider")
class CancelsEverybody(Mutation):
    """Ends every run when one is cancelled."""

    def __init__(self) -> None:
        self._runs: dict[int | str, str | None] = {}

    def asked(self, request: Message) -> Message:
        if request["method"] == RUN:
            self._runs[request["id"]] = session_of(request)
        if request["method"] == CANCEL and session_of(request) in self._runs.values():
            for request_id, session_id in self._runs.items():
                if session_id != session_of(request):
                    self.pass_on({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}})
        return request


@mutant("provider.cancel.works-afterwards", base="provider")
class StopsWorkingAfterACancel(Refusing):
    """Refuses every run once one was cancelled."""

    method = RUN
    code = UNAVAILABLE

    def __init__(self) -> None:
        self._broken = False

    def is_refused(self, params: Message) -> bool:
        return self._broken

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == RUN and reply.get("error", {}).get("code") == CANCELLED:
            self._broken = True
        return reply


@mutant("provider.cancel.unknown-session", base="provider")
class CancelsAnything(CancelAnswered):
    """Says that it has cancelled, whatever it was asked to cancel."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "cancelled": True}


@mutant("provider.cancel.unknown-session", base="provider")
class CancelsWhatIsOver(LateCancel):
    """Says that it has cancelled a session whose run is over."""

    def late(self, reply: Message) -> Sent:
        reply["result"]["cancelled"] = True
        return reply


@mutant("provider.cancel.unknown-session", base="provider")
class DropsACancelOfNobody(LateCancel):
    """Does not answer agent/cancel of a session that is over."""

    def late(self, reply: Message) -> Sent:
        return None


@mutant("provider.cancel.cancel-request", base="provider")
class SwallowsWhatWasCancelledByRequest(CancelledEnd):
    """Ends a run by $/cancelRequest without an answer."""

    def __init__(self) -> None:
        self._ids: set[object] = set()

    def notified(self, notification: Message) -> Message:
        if notification["method"] == "$/cancelRequest" and isinstance(notification.get("params"), dict):
            self._ids.add(str(notification["params"].get("id")))
        return notification

    def end_of(self, request: Message, reply: Message) -> Sent:
        return None if str(request["id"]) in self._ids else reply


@mutant("provider.cancel.cancel-request", base="provider")
class CallsACancelledRequestInternal(SwallowsWhatWasCancelledByRequest):
    """Ends a run by $/cancelRequest with -32603."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, UNAVAILABLE) if str(request["id"]) in self._ids else reply


# agent/resume


@mutant("provider.resume.result-has-its-type", base="provider")
class ResumesWithAnOk(AnsweredOtherwise):
    """Answers agent/resume with ok."""

    method = RESUME

    def changed(self, params: Any, result: Any) -> Any:
        return {"ok": True}


@mutant("provider.resume.result-has-its-type", base="provider")
class CannotResume(Mutation):
    """Refuses to resume what has come to its end."""

    def answers(self, request: Message, reply: Message) -> Sent:
        resumed = request["method"] == RESUME and "result" in reply
        return self.refusal(request, UNAVAILABLE) if resumed else reply


@mutant("provider.resume.keeps-session-id", base="provider")
class BeginsANewSession(AnsweredOtherwise):
    """Answers agent/resume with the id of a new session."""

    method = RESUME

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "session_id": "agent-2"}


@mutant("provider.resume.keeps-session-id", base="provider")
class TellsInANewSessionsName(Mutation):
    """Tells what happens in a resumed session in the name of a new one."""

    def __init__(self) -> None:
        self._resumed: set[str | None] = set()

    def asked(self, request: Message) -> Message:
        if request["method"] == RESUME:
            self._resumed.add(session_of(request))
        return request

    def notifies(self, notification: Message) -> Sent:
        if notification["params"]["session_id"] in self._resumed:
            notification["params"]["session_id"] = "agent-2"
        return notification


@mutant("provider.resume.in-a-new-process", base="provider")
class ForgetsWithTheProcess(Mutation):
    """Knows only the sessions of this process."""

    def __init__(self) -> None:
        self._known: set[str | None] = set()

    def asked(self, request: Message) -> Message | None:
        session_id = session_of(request)
        if request["method"] == RUN:
            self._known.add(session_id)
        if request["method"] == RESUME and session_id not in self._known:
            self.say(self.refusal(request, -32602, category="not_found"))
            return None
        return request


@mutant("provider.resume.unknown-session", base="provider")
class BeginsWhatItShouldResume(Mutation):
    """Begins a session that is to be resumed and never was."""

    def asked(self, request: Message) -> Message:
        if request["method"] == RESUME:
            request["method"] = RUN
        return request


@mutant("provider.resume.can-be-cancelled", base="provider")
class CannotCancelWhatItResumes(CancelledInWordsOnly):
    """Does not find a resumed session when it is to be cancelled."""

    method = RESUME
    cancelled = False
