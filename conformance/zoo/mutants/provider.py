"""Mutants of a provider: what agent/run is asked, and what it gives."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, AskedOtherwise, Refusing, Unserved

BAD_PARAMS = -32602
UNAVAILABLE = -32603
RUN = "agent/run"


class Ran(AnsweredOtherwise):
    """Changes the result of a run."""

    method = RUN


class Telling(Mutation):
    """Changes what is told of a run: override `notification`."""

    def notification(self, what: str, params: Message) -> Sent:
        """The params of `agent/<what>`: changed in place, and what goes out instead of the notification."""
        raise NotImplementedError

    def telling(self, what: str, params: Message) -> Message:
        """A notification `agent/<what>`."""
        return {"jsonrpc": "2.0", "method": f"agent/{what}", "params": params}

    def notifies(self, notification: Message) -> Sent:
        prefix, _, what = notification["method"].partition("/")
        return self.notification(what, notification["params"]) if prefix == "agent" else notification


class RefusesRuns(Refusing):
    """The base of those that refuse some runs."""

    method = RUN
    code = BAD_PARAMS


def session_of(request: Message) -> str | None:
    """The session that a request names."""
    params = request.get("params")
    session_id = params.get("session_id") if isinstance(params, dict) else None
    return session_id if isinstance(session_id, str) else None


# agent/run: request and result


@mutant("provider.run.is-offered", base="provider")
class OffersNoRun(Unserved):
    """Neither advertises nor serves agent/run."""

    method = RUN


@mutant("provider.run.result-has-its-type", base="provider")
class NamesNoBackend(Ran):
    """Leaves backend out of the result."""

    def changed(self, params: Any, result: Any) -> Any:
        del result["backend"]
        return result


@mutant("provider.run.result-has-its-type", base="provider")
class SaysExitCodeAsText(Ran):
    """Says the exit code as a text."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "exit_code": str(result["exit_code"])}


@mutant("provider.run.result-has-its-type", base="provider")
class WrapsItsResult(Ran):
    """Wraps the result in another object."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"response": result}


@mutant("provider.run.result-has-its-type", base="provider")
class RefusesEveryRun(RefusesRuns):
    """Refuses every run as unavailable."""

    code = UNAVAILABLE

    def is_refused(self, params: Message) -> bool:
        return isinstance(params.get("prompt"), str) and isinstance(params.get("cwd"), str)


@mutant("provider.run.keeps-session-id", base="provider")
class NamesItsOwnSession(Ran):
    """Puts an id of its own in the result."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "session_id": f"agent-{result['session_id']}"}


@mutant("provider.run.exit-code-0", base="provider")
class EndsGoodRunsWithOne(Ran):
    """Ends a good run with the exit code 1."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "exit_code": result["exit_code"] or 1}


@mutant("provider.run.duration-in-milliseconds", base="provider")
class MeasuresInMicroseconds(Ran):
    """Tells the duration in microseconds."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "duration_ms": result["duration_ms"] * 1000}


@mutant("provider.run.needs-prompt-and-cwd-only", base="provider")
class NeedsASessionId(RefusesRuns):
    """Refuses a run without session_id."""

    def is_refused(self, params: Message) -> bool:
        return "session_id" not in params


@mutant("provider.run.needs-prompt-and-cwd-only", base="provider")
class LeavesTheSessionIdEmpty(Ran):
    """Answers a run without session_id with an empty one."""

    def changed(self, params: Any, result: Any) -> Any:
        return result if "session_id" in params else {**result, "session_id": ""}


@mutant("provider.run.accepts-optional-params", base="provider")
class RefusesAnEnvironment(RefusesRuns):
    """Refuses a run with env."""

    def is_refused(self, params: Message) -> bool:
        return bool(params.get("env"))


@mutant("provider.run.accepts-optional-params", base="provider")
class FailsWithAContract(Ran):
    """Ends a run that has a runtime_contract with the exit code 2."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "exit_code": 2} if params.get("runtime_contract") else result


@mutant("provider.run.ignores-unknown-params", base="provider")
class RefusesUnknownParams(RefusesRuns):
    """Refuses a run with params that it does not know."""

    def is_refused(self, params: Message) -> bool:
        return any(name.startswith("x_") for name in params)


@mutant("provider.run.takes-any-text", base="provider")
class ReadsAsciiOnly(RefusesRuns):
    """Cannot run prompts beyond ASCII."""

    code = UNAVAILABLE

    def is_refused(self, params: Message) -> bool:
        return isinstance(params.get("prompt"), str) and not params["prompt"].isascii()


@mutant("provider.run.takes-any-text", base="provider")
class CannotEnterFoldersWithSpaces(RefusesRuns):
    """Cannot run in a folder whose name has a space."""

    code = UNAVAILABLE

    def is_refused(self, params: Message) -> bool:
        return isinstance(params.get("cwd"), str) and " " in params["cwd"]


@mutant("provider.run.refuses-missing-prompt", base="provider")
class RunsWithoutPrompt(AskedOtherwise):
    """Makes up a prompt."""

    method = RUN

    def change(self, params: Any) -> None:
        params.setdefault("prompt", "Go on.")


@mutant("provider.run.refuses-missing-prompt", base="provider")
class CallsAMissingPromptInternal(RefusesRuns):
    """Answers a run without a prompt with -32603."""

    code = UNAVAILABLE

    def is_refused(self, params: Message) -> bool:
        return "prompt" not in params


@mutant("provider.run.refuses-missing-cwd", base="provider")
class GuessesWhere(AskedOtherwise):
    """Works in the root folder when nobody says where."""

    method = RUN

    def change(self, params: Any) -> None:
        params.setdefault("cwd", "/")


@mutant("provider.run.works-in-cwd", base="provider")
class WorksElsewhere(AskedOtherwise):
    """Works in the folder above the one that was sent."""

    method = RUN

    def change(self, params: Any) -> None:
        if isinstance(params.get("cwd"), str):
            params["cwd"] = params["cwd"].rpartition("/")[0] or "/"


@mutant("provider.run.timeout-is-told", base="provider")
class SucceedsWhenOutOfTime(Mutation):
    """Ends a run that is out of time with the exit code 0."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if reply.get("error", {}).get("code") != -32003:
            return reply
        session_id = request["params"]["session_id"]
        result = {"session_id": session_id, "exit_code": 0, "output": "", "duration_ms": 1000, "backend": "sentences"}
        return self.result(request, result)


@mutant("provider.run.timeout-is-told", base="provider")
class CallsATimeoutInternal(Mutation):
    """Ends a run that is out of time with -32603."""

    def answers(self, request: Message, reply: Message) -> Sent:
        out_of_time = reply.get("error", {}).get("code") == -32003
        return self.refusal(request, UNAVAILABLE) if out_of_time else reply


# two runs at once


@mutant("provider.run.two-sessions-at-once", base="provider")
class TellsInTheLastOnesName(Telling):
    """Tells everything in the name of the session that began last."""

    def __init__(self) -> None:
        self._last = ""

    def asked(self, request: Message) -> Message:
        if request["method"] in (RUN, "agent/resume") and isinstance(request.get("params"), dict):
            self._last = request["params"].get("session_id", "")
        return request

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(what, {**params, "session_id": self._last or params["session_id"]})


@mutant("provider.run.two-sessions-at-once", base="provider")
class MixesUpResults(Mutation):
    """Gives the result of one run to the other that is asked for at the same time."""

    def __init__(self) -> None:
        self._running: list[int | str] = []
        self._kept: tuple[Message, Message] | None = None

    def asked(self, request: Message) -> Message:
        if request["method"] == RUN:
            self._running.append(request["id"])
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != RUN:
            return reply
        self._running.remove(request["id"])
        if self._kept is not None:
            (kept, kept_reply), self._kept = self._kept, None
            return [{**kept_reply, "id": request["id"]}, {**reply, "id": kept["id"]}]
        if "result" in reply and self._running:
            self._kept = request, reply
            return None
        return reply


@mutant("provider.run.two-sessions-at-once", base="provider")
class ForgetsTheFirst(Mutation):
    """Never answers a run when another one has begun meanwhile."""

    def __init__(self) -> None:
        self._last: Any = None

    def asked(self, request: Message) -> Message:
        if request["method"] == RUN and "numbers" not in str(request.get("params")):
            self._last = request["id"]
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        forgotten = request["method"] == RUN and "result" in reply and request["id"] != self._last
        return None if forgotten else reply


@mutant("provider.run.same-session-twice", base="provider")
class RunsASessionTwice(Mutation):
    """Runs a session a second time while it runs, both at once."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}

    def asked(self, request: Message) -> Message:
        params = request.get("params")
        if request["method"] == RUN and isinstance(params, dict):
            session_id = str(params.get("session_id"))
            if session_id in self._own.values():
                params["session_id"] = f"{session_id}-{request['id']}"
            self._own[params.get("session_id", "")] = session_id
        return request

    def notifies(self, notification: Message) -> Sent:
        return {**notification, "params": self._named(notification["params"])}

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == RUN and "result" in reply:
            reply["result"] = self._named(reply["result"])
        return reply

    def _named(self, value: Message) -> Message:
        session_id = value.get("session_id")
        return value if session_id is None else {**value, "session_id": self._own.get(session_id, session_id)}


@mutant("provider.run.same-session-twice", base="provider")
class LosesASecondRun(Mutation):
    """Drops a run of a session that is running, and never answers it."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return None if reply.get("error", {}).get("data", {}).get("category") == "conflict" else reply
