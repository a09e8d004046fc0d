"""Mutants of what every message owes."""

from __future__ import annotations

import json

from mutation import Message, Mutation, Sent, mutant


class _BesideHealth(Mutation):
    """Says something odd beside each answer to health/check."""

    odd: bytes

    def answers(self, request: Message, reply: Message) -> Sent:
        return [self.odd, reply] if request["method"] == "health/check" else reply


@mutant("wire.stdout-carries-messages-only", base="custom")
class PrintsToStandardOutput(_BesideHealth):
    """Prints a line of its own before an answer."""

    odd = b"checking health ...\n"


@mutant("wire.stdout-carries-messages-only", base="custom")
class PrintsJson(_BesideHealth):
    """Prints JSON that is no message."""

    odd = b"[1, 2, 3]\n"


@mutant("wire.utf-8", base="custom")
class SpeaksLatin1(_BesideHealth):
    """Writes a log entry in Latin-1."""

    odd = '{"jsonrpc":"2.0","method":"log/entry","params":{"message":"für alle"}}\n'.encode("latin-1")


@mutant("wire.no-nan", base="custom")
class MeasuresNothing(_BesideHealth):
    """Writes NaN into a log entry."""

    odd = b'{"jsonrpc":"2.0","method":"log/entry","params":{"fields":{"degrees":NaN}}}\n'


@mutant("wire.says-jsonrpc-2.0", base="custom")
class LeavesTheVersionOut(_BesideHealth):
    """Writes a notification without jsonrpc."""

    odd = b'{"method":"log/entry","params":{"message":"hello"}}\n'


@mutant("wire.result-or-error", base="custom")
class SaysBoth(Mutation):
    """Refuses an unknown method with a result beside the error."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return {**reply, "result": {}} if "error" in reply else reply


@mutant("wire.errors-have-code-and-message", base="custom")
class RefusesWithoutAWord(Mutation):
    """Refuses without a message."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if "error" in reply:
            del reply["error"]["message"]
        return reply


@mutant("wire.answers-only-what-was-asked", base="custom")
class ChangesTextIds(Mutation):
    """Answers under another id when the id is a text with a dash."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return {**reply, "id": "text"} if request["id"] == "text-id" else reply


@mutant("wire.answers-once", base="custom")
class AnswersTwice(Mutation):
    """Answers health/check twice."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return [reply, reply] if request["method"] == "health/check" else reply


@mutant("wire.strict-lines", base="custom")
class PrettyPrints(Mutation):
    """Writes its answers on several lines."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return json.dumps(reply, indent=2).encode() + b"\n"


@mutant("wire.strict-lines", base="custom")
class WritesAsOnWindows(Mutation):
    """Ends its lines with CR LF."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return json.dumps(reply).encode() + b"\r\n"
