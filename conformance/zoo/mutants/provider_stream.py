"""Mutants of a provider: what it tells while an agent runs."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant

from mutants.provider import RUN, Ran, Telling


@mutant("provider.stream.streams", base="provider")
class TellsNothing(Telling):
    """Says streaming, and tells nothing of a run."""

    def notification(self, what: str, params: Message) -> Sent:
        return None


@mutant("provider.stream.notifications-have-their-types", base="provider")
class LeavesTheTextOut(Telling):
    """Says delta where text belongs."""

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(
            what, {"session_id": params["session_id"], "delta": params["text"]} if what == "output" else params
        )


@mutant("provider.stream.notifications-have-their-types", base="provider")
class ThinksInNumbers(Telling):
    """Says a number where the text of a thought belongs."""

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(what, {**params, "text": 42} if what == "thinking" else params)


@mutant("provider.stream.notifications-have-their-types", base="provider")
class LeavesSuccessOut(Telling):
    """Does not say whether a tool succeeded."""

    def notification(self, what: str, params: Message) -> Sent:
        params.pop("success", None)
        return self.telling(what, params)


@mutant("provider.stream.notifications-have-their-types", base="provider")
class NamesNoSession(Telling):
    """Leaves the session_id out of a tool's call."""

    def notification(self, what: str, params: Message) -> Sent:
        if what == "toolCall":
            del params["session_id"]
        return self.telling(what, params)


@mutant("provider.stream.names-its-session", base="provider")
class TellsInItsOwnName(Telling):
    """Names the session of its own backend while it thinks."""

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(what, {**params, "session_id": "agent-1"} if what == "thinking" else params)


@mutant("provider.stream.joins-to-output", base="provider")
class RepeatsTheWholeAnswer(Telling):
    """Sends the whole answer once more as the last piece."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def notification(self, what: str, params: Message) -> Sent:
        if what == "output":
            said = self._said.get(params["session_id"], "") + params["text"]
            self._said[params["session_id"]] = said
            if params["is_final"]:
                return [self.telling(what, {**params, "is_final": False}), self.telling(what, {**params, "text": said})]
        return self.telling(what, params)


@mutant("provider.stream.joins-to-output", base="provider")
class SendsTheTextSoFar(Telling):
    """Sends the text so far instead of the next piece."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def notification(self, what: str, params: Message) -> Sent:
        if what == "output":
            params["text"] = self._said[params["session_id"]] = (
                self._said.get(params["session_id"], "") + params["text"]
            )
        return self.telling(what, params)


@mutant("provider.stream.joins-to-output", base="provider")
class OutputsItsLastPieceOnly(Ran):
    """Gives the last piece alone as the output."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "output": result["output"].split(" ")[-1]}


@mutant("provider.stream.final-is-last", base="provider")
class CallsEveryPieceFinal(Telling):
    """Marks every piece as the last one."""

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(what, {**params, "is_final": True} if what == "output" else params)


@mutant("provider.stream.ends-before-the-reply", base="provider")
class AnswersBeforeItThinks(Mutation):
    """Answers the run, and tells one more thought behind that."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != RUN or "result" not in reply:
            return reply
        params = {"session_id": reply["result"]["session_id"], "text": "That went well."}
        return [reply, {"jsonrpc": "2.0", "method": "agent/thinking", "params": params}]


@mutant("provider.stream.tool-calls-before-results", base="provider")
class TellsResultsOnly(Telling):
    """Tells the results of tools, and not their calls."""

    def notification(self, what: str, params: Message) -> Sent:
        return None if what == "toolCall" else self.telling(what, params)


@mutant("provider.stream.tool-calls-before-results", base="provider")
class RenamesATool(Telling):
    """Calls a tool by another name in its result."""

    def notification(self, what: str, params: Message) -> Sent:
        return self.telling(what, {**params, "name": f"mcp__{params['name']}"} if what == "toolResult" else params)
