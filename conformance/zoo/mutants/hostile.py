"""Mutants that input or load of an unusual kind is too much for."""

from __future__ import annotations

import json
import os
import sys

from mutation import Message, Mutation, Sent, mutant
from one_method import Refusing


class _DiesOfALine(Mutation):
    """Dies of a line that is like this."""

    def is_deadly(self, line: bytes) -> bool:
        raise NotImplementedError

    def raw_line(self, line: bytes) -> bytes:
        if self.is_deadly(line):
            os._exit(1)
        return line


@mutant("hostile.malformed-frames", base="custom")
class DiesOfANumber(_DiesOfALine):
    """Dies of a line that is a number."""

    def is_deadly(self, line: bytes) -> bool:
        return line.strip() == b"42"


@mutant("hostile.malformed-frames", base="custom")
class AnswersGarbage(Mutation):
    """Stops answering after a line that is not valid JSON."""

    deaf = False

    def raw_line(self, line: bytes) -> bytes | None:
        self.deaf = self.deaf or line == b"hello\n"
        return None if self.deaf else line


@mutant("hostile.wrong-envelopes", base="custom")
class DiesOfAMethodThatIsANumber(_DiesOfALine):
    """Dies of a method that is a number."""

    def is_deadly(self, line: bytes) -> bool:
        return b'"method": 7' in line


@mutant("hostile.truncated-frames", base="custom")
class WaitsForTheRest(Mutation):
    """Goes on collecting lines until they are one value."""

    collected = b""

    def raw_line(self, line: bytes) -> bytes | None:
        whole = self.collected + line
        if b"900020" in whole and whole.count(b"{") > whole.count(b"}"):
            self.collected = whole
            return None
        self.collected = b""
        return whole


@mutant("hostile.blank-lines", base="custom")
class DiesOfNothing(_DiesOfALine):
    """Dies of an empty line."""

    def is_deadly(self, line: bytes) -> bool:
        return line == b"\n"


@mutant("hostile.split-frames", base="custom")
class TakesAPieceForAll(Mutation):
    """Takes what one read gives for whole lines, when it is short."""

    def raw_chunk(self, chunk: bytes) -> bytes:
        return chunk if chunk.endswith(b"\n") or len(chunk) > 256 else b""


@mutant("hostile.many-frames-at-once", base="custom")
class ForgetsTheHundredth(Mutation):
    """Loses what comes after 100 requests in one write."""

    def asked(self, request: Message) -> Message | None:
        name, _, number = str(request["id"]).partition("-")
        return None if name == "many" and int(number) > 100 else request


@mutant("hostile.big-frames", base="custom")
class ReadsHalfAMegabyte(Mutation):
    """Refuses requests of more than half a megabyte."""

    def asked(self, request: Message) -> Message | None:
        if len(json.dumps(request)) > 500_000:
            self.say(self.refusal(request, -32600, "too long"))
            return None
        return request


@mutant("hostile.deep-nesting", base="custom")
class DiesInTheDepth(_DiesOfALine):
    """Dies of deeply nested values."""

    def is_deadly(self, line: bytes) -> bool:
        return line.count(b"[") > 50_000


@mutant("hostile.unusual-texts", base="custom")
class DiesOfHalfALetter(_DiesOfALine):
    """Dies of half a surrogate pair."""

    def is_deadly(self, line: bytes) -> bool:
        return b"\\ud83d" in line


@mutant("hostile.wrong-params", base="subject")
class GuessesWhatToDelete(Mutation):
    """Deletes nothing when no id is given, and says so as if that had been asked."""

    def asked(self, request: Message) -> Message | None:
        params = request.get("params")
        if request["method"].endswith("/delete") and not (isinstance(params, dict) and "id" in params):
            self.say(self.result(request, {"ok": False}))
            return None
        return request


@mutant("hostile.unknown-params", base="custom")
class RefusesTheUnknown(Refusing):
    """Refuses $/ping with a member that it does not know."""

    method = "$/ping"
    code = -32602
    message = "x_new: unknown"

    def is_refused(self, params: Message) -> bool:
        return "x_new" in params


@mutant("hostile.concurrent-requests", base="custom")
class HoldsOneBack(Mutation):
    """With many requests under way, answers one of them only when another comes in."""

    asked_for = 0
    held: Message | None = None
    cancelled = False

    def asked(self, request: Message) -> Message | None:
        self.asked_for += 1
        if self.held is not None and (request["method"] == "shutdown" or self.asked_for > 100):
            self.say(self.held)
            self.held = None
        return request

    def notified(self, notification: Message) -> Message:
        self.cancelled = self.cancelled or notification["method"] == "$/cancelRequest"
        return notification

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["id"] == 64 and request["method"] == "$/ping" and self.asked_for < 70 and not self.cancelled:
            self.held = reply
            return None
        return reply


@mutant("hostile.cancel-storm", base="custom")
class ForgetsWhatWasCancelledTwice(Mutation):
    """Once a few requests were cancelled, does not answer those that are cancelled twice."""

    cancels = 0

    def asked(self, request: Message) -> Message | None:
        twice = isinstance(request["id"], int) and (request["id"] - 2) % 12 == 0
        return None if twice and self.cancels > 3 else request

    def notified(self, notification: Message) -> Message:
        if notification["method"] == "$/cancelRequest":
            self.cancels += 1
        return notification


@mutant("hostile.second-initialize", base="custom")
class DiesOfASecondInitialize(Mutation):
    """Dies when it is initialized again."""

    initialized = False

    def asked(self, request: Message) -> Message:
        if request["method"] == "initialize":
            if self.initialized:
                os._exit(1)
            self.initialized = True
        return request


@mutant("hostile.slow-reader", base="custom")
class LosesWhatNobodyReads(Mutation):
    """Loses an answer when more than a hundred were asked for."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return None if request["id"] == 182 and request["method"] == "$/ping" else reply


@mutant("hostile.shutdown-under-load", base="custom")
class CannotStopInTheMiddle(Mutation):
    """Does not answer shutdown after many requests."""

    seen = 0

    def asked(self, request: Message) -> Message | None:
        self.seen += 1
        return None if request["method"] == "shutdown" and self.seen > 60 else request


@mutant("hostile.end-of-input", base="custom")
class StaysAlone(Mutation):
    """Stays when its host is gone, and ignores SIGTERM then."""

    alone = False

    def at_end_of_input(self) -> bool:
        self.alone = True
        return False

    def at_sigterm(self) -> bool:
        return not self.alone


@mutant("hostile.sigterm", base="custom")
class IgnoresSigterm(Mutation):
    """Ignores SIGTERM."""

    def at_sigterm(self) -> bool:
        return False


@mutant("hostile.exit-without-shutdown", base="custom")
class WantsShutdownFirst(Mutation):
    """Ignores exit before shutdown."""

    shut_down = False

    def asked(self, request: Message) -> Message:
        self.shut_down = self.shut_down or request["method"] == "shutdown"
        return request

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == "exit" and not self.shut_down else notification


@mutant("hostile.cleared-environment", base="custom")
class WantsToKnowTheUser(Mutation):
    """Dies without USER in the environment."""

    def at_start(self) -> None:
        if "USER" not in os.environ:
            os._exit(1)


@mutant("hostile.quiet-stderr", base="custom")
class TellsOfEveryMistake(Mutation):
    """Writes a page to standard error for each line that is no message."""

    def raw_line(self, line: bytes) -> bytes:
        if line == b"this is no message\n":
            sys.stderr.write("cannot read this\n" * 100)
        return line


@mutant("hostile.two-at-once", base="custom")
class GoesQuietBesideAnother(Mutation):
    """Does not answer $/ping any more when a younger process of its own has been started."""

    def at_start(self) -> None:
        self.folder = os.path.join(os.path.dirname(os.environ["HOME"]), "instances")
        os.makedirs(self.folder, exist_ok=True)
        self.number = len(os.listdir(self.folder))
        os.mkdir(os.path.join(self.folder, f"{self.number}-{os.getpid()}"))

    def asked(self, request: Message) -> Message | None:
        living = self.living()  # the suite keeps two processes of its own
        return None if request["method"] == "$/ping" and len(living) > 2 and self.number < max(living) else request

    def living(self) -> list[int]:
        names = [name.split("-") for name in os.listdir(self.folder)]
        return [int(number) for number, pid in names if os.path.exists(f"/proc/{pid}")]


@mutant("fuzz.any-params", base="custom")
class DiesOfUnexpectedParams(Mutation):
    """Dies of health/check with params."""

    def asked(self, request: Message) -> Message:
        if request["method"] == "health/check" and request["params"]:
            os._exit(1)
        return request


@mutant("audit.advertised-methods-answer", base="subject")
class AdvertisesWhatItRefuses(Mutation):
    """Advertises next, and refuses it."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, -32001) if request["method"].endswith("/next") else reply


@mutant("audit.served-methods-are-advertised", base="subject")
class HidesWhatItCan(Mutation):
    """Serves next and does not say so."""

    def manifest(self, manifest: Message) -> Message:
        return {**manifest, "capabilities": [one for one in manifest["capabilities"] if not one.endswith("/next")]}

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "initialize" and "result" in reply:
            capabilities = reply["result"]["capabilities"]
            methods = capabilities["methods"]
            capabilities["methods"] = [method for method in methods if not method.endswith("/next")]
        return reply
