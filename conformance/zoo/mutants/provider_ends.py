"""Mutants of a provider: how runs are cancelled, and how sessions are resumed."""

from __future__ import annotations

import threading

from mutation import Message, Mutation, Sent, mutant

from mutants.provider import session_of

CANCELLED = -32002
UNAVAILABLE = -32603
START_S = 0.2


class CancelMutation(Mutation):
    """Where the answer to agent/cancel is broken: override `cancel_result`."""

    def cancel_result(self, result: Message) -> Message:
        """The result of agent/cancel."""
        return result

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "agent/cancel" and "result" in reply:
            reply["result"] = self.cancel_result(reply["result"])
        return reply


class EndMutation(Mutation):
    """Where the end of a cancelled run is broken: override `end_of`."""

    methods: tuple[str, ...] = ("agent/run",)

    def end_of(self, request: Message, reply: Message) -> Sent:
        """What comes instead of the answer to a run that was cancelled."""
        return reply

    def answers(self, request: Message, reply: Message) -> Sent:
        ended = request["method"] in self.methods and reply.get("error", {}).get("code") == CANCELLED
        return self.end_of(request, reply) if ended else reply


# agent/cancel


@mutant("provider.cancel.result-has-its-type", base="provider")
class AnswersCancelWithNothing(CancelMutation):
    """Answers agent/cancel with an empty object."""

    def cancel_result(self, result: Message) -> Message:
        return {}


@mutant("provider.cancel.result-has-its-type", base="provider")
class SaysOkToCancel(CancelMutation):
    """Says ok where cancelled belongs."""

    def cancel_result(self, result: Message) -> Message:
        return {"session_id": result["session_id"], "ok": True}


@mutant("provider.cancel.result-has-its-type", base="provider")
class RefusesACancelThatWorked(Mutation):
    """Cancels, and answers with an error."""

    def answers(self, request: Message, reply: Message) -> Sent:
        worked = request["method"] == "agent/cancel" and reply.get("result", {}).get("cancelled")
        return self.refusal(request, UNAVAILABLE) if worked else reply


@mutant("provider.cancel.names-its-session", base="provider")
class CancelsUnderAnotherName(CancelMutation):
    """Names its own backend's session in the answer to agent/cancel."""

    def cancel_result(self, result: Message) -> Message:
        return {**result, "session_id": "agent-1"}


@mutant("provider.cancel.ends-the-run", base="provider")
class OnlySaysThatItCancels(Mutation):
    """Answers agent/cancel, and lets the run go on."""

    def __init__(self) -> None:
        self._running: set[str | None] = set()

    def asked(self, request: Message) -> Message | None:
        session_id = session_of(request)
        if request["method"] == "agent/run":
            self._running.add(session_id)
        if request["method"] == "agent/cancel" and session_id and session_id in self._running:
            self.say(self.result(request, {"session_id": session_id, "cancelled": True}))
            return None
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "agent/run":
            self._running.discard(session_of(request))
        return reply


@mutant("provider.cancel.ends-the-run", base="provider")
class NeverAnswersACancelledRun(EndMutation):
    """Ends a cancelled run without an answer."""

    methods = ("agent/run", "agent/resume")

    def end_of(self, request: Message, reply: Message) -> Sent:
        return None


@mutant("provider.cancel.run-ends-as-cancelled", base="provider")
class EndsLikeAGoodRun(EndMutation):
    """Ends a cancelled run with the exit code 0."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        session_id = request["params"]["session_id"]
        result = {"session_id": session_id, "exit_code": 0, "output": "1 2 ", "duration_ms": 20, "backend": "sentences"}
        return self.result(request, result)


@mutant("provider.cancel.run-ends-as-cancelled", base="provider")
class EndsAsUnavailable(EndMutation):
    """Ends a cancelled run with -32603."""

    def end_of(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, UNAVAILABLE)


@mutant("provider.cancel.tells-the-truth", base="provider")
class DeniesThatItCancelled(CancelMutation):
    """Says that there was nothing to cancel, always."""

    def cancel_result(self, result: Message) -> Message:
        return {**result, "cancelled": False}


@mutant("provider.cancel.error-is-not-recoverable", base="provider")
class CallsTheEndRecoverable(Mutation):
    """Tells of the end of a cancelled run as of something that it recovers from."""

    def tells(self, notification: Message) -> Sent:
        if notification["method"] == "agent/error":
            notification["params"]["recoverable"] = True
        return notification


@mutant("provider.cancel.silence-afterwards", base="provider")
class SpeaksAfterItsEnd(EndMutation):
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
        if request["method"] == "agent/run" and "numbers" in str(request.get("params")):
            self._starting.add(session_id)
            threading.Timer(START_S, self._start, [request]).start()
            return None
        if request["method"] == "agent/cancel" and session_id in self._starting:
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
        if request["method"] == "agent/run":
            self._runs[request["id"]] = session_of(request)
        if request["method"] == "agent/cancel" and session_of(request) in self._runs.values():
            for request_id, session_id in self._runs.items():
                if session_id != session_of(request):
                    self.pass_on({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}})
        return request


@mutant("provider.cancel.works-afterwards", base="provider")
class StopsWorkingAfterACancel(Mutation):
    """Refuses every run once one was cancelled."""

    def __init__(self) -> None:
        self._broken = False

    def asked(self, request: Message) -> Message | None:
        if request["method"] == "agent/run" and self._broken:
            self.say(self.refusal(request, UNAVAILABLE))
            return None
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "agent/run" and reply.get("error", {}).get("code") == CANCELLED:
            self._broken = True
        return reply


@mutant("provider.cancel.unknown-session", base="provider")
class CancelsAnything(CancelMutation):
    """Says that it has cancelled, whatever it was asked to cancel."""

    def cancel_result(self, result: Message) -> Message:
        return {**result, "cancelled": True}


@mutant("provider.cancel.unknown-session", base="provider")
class CancelsWhatIsOver(Mutation):
    """Says that it has cancelled a session whose run is over."""

    def __init__(self) -> None:
        self._known: set[str | None] = set()

    def answers(self, request: Message, reply: Message) -> Sent:
        session_id = session_of(request)
        if request["method"] == "agent/run" and "result" in reply:
            self._known.add(session_id)
        if request["method"] == "agent/cancel" and session_id and session_id in self._known:
            reply["result"]["cancelled"] = True
        return reply


@mutant("provider.cancel.unknown-session", base="provider")
class DropsACancelOfNobody(Mutation):
    """Does not answer agent/cancel of a session that is over."""

    def __init__(self) -> None:
        self._known: set[str | None] = set()

    def answers(self, request: Message, reply: Message) -> Sent:
        session_id = session_of(request)
        if request["method"] == "agent/run" and "result" in reply:
            self._known.add(session_id)
        return None if request["method"] == "agent/cancel" and session_id and session_id in self._known else reply


@mutant("provider.cancel.cancel-request", base="provider")
class SwallowsWhatWasCancelledByRequest(EndMutation):
    """Ends a run by $/cancelRequest without an answer."""

    def __init__(self) -> None:
        self._ids: set[object] = set()

    def told(self, notification: Message) -> Message:
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
class ResumesWithAnOk(Mutation):
    """Answers agent/resume with ok."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return (
            self.result(request, {"ok": True}) if request["method"] == "agent/resume" and "result" in reply else reply
        )


@mutant("provider.resume.result-has-its-type", base="provider")
class CannotResume(Mutation):
    """Refuses to resume what has come to its end."""

    def answers(self, request: Message, reply: Message) -> Sent:
        resumed = request["method"] == "agent/resume" and "result" in reply
        return self.refusal(request, UNAVAILABLE) if resumed else reply


@mutant("provider.resume.keeps-session-id", base="provider")
class BeginsANewSession(Mutation):
    """Answers agent/resume with the id of a new session."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "agent/resume" and "result" in reply:
            reply["result"]["session_id"] = "agent-2"
        return reply


@mutant("provider.resume.keeps-session-id", base="provider")
class TellsInANewSessionsName(Mutation):
    """Tells what happens in a resumed session in the name of a new one."""

    def __init__(self) -> None:
        self._resumed: set[str | None] = set()

    def asked(self, request: Message) -> Message:
        if request["method"] == "agent/resume":
            self._resumed.add(session_of(request))
        return request

    def tells(self, notification: Message) -> Sent:
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
        if request["method"] == "agent/run":
            self._known.add(session_id)
        if request["method"] == "agent/resume" and session_id not in self._known:
            self.say(self.refusal(request, -32602, category="not_found"))
            return None
        return request


@mutant("provider.resume.unknown-session", base="provider")
class BeginsWhatItShouldResume(Mutation):
    """Begins a session that is to be resumed and never was."""

    def asked(self, request: Message) -> Message:
        if request["method"] == "agent/resume":
            request["method"] = "agent/run"
        return request


@mutant("provider.resume.can-be-cancelled", base="provider")
class CannotCancelWhatItResumes(Mutation):
    """Does not find a resumed session when it is to be cancelled."""

    def __init__(self) -> None:
        self._resumed: set[str | None] = set()

    def asked(self, request: Message) -> Message | None:
        session_id = session_of(request)
        if request["method"] == "agent/resume":
            self._resumed.add(session_id)
        if request["method"] == "agent/cancel" and session_id and session_id in self._resumed:
            self.say(self.result(request, {"session_id": session_id, "cancelled": False}))
            return None
        return request
