"""Mutants of what a transport serves over HTTP."""

from __future__ import annotations

import re
import socket
import threading

from mutation import Message, mutant

from mutants.transport_relay import CUT, Relaying, Watching, answer


@mutant("transport.http.answers", base="transport")
class SaysNothing(Relaying):
    """Closes every connection to the root without a word."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        return CUT if path == "/" and self.is_alone() else head + body

    def is_alone(self) -> bool:
        """Whether nobody else waits."""
        return len(self.clients) == 1


@mutant("transport.http.answers", base="transport")
class SpeaksOfHttp(SaysNothing):
    """Answers with text that is no HTTP."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        return b"hello\r\n\r\n" if path == "/" and self.is_alone() else head + body


@mutant("transport.http.serves-others-meanwhile", base="transport")
class TakesTurns(Relaying):
    """Answers one request after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = threading.Lock()

    def exchange(self, client: socket.socket, path: str, request: bytes) -> None:
        if path == "/events":
            return super().exchange(client, path, request)
        with self.turn:
            return super().exchange(client, path, request)


@mutant("transport.bridge.asks-the-daemon", base="transport")
class AsksSomebodyElse(Watching):
    """Asks a socket of its own choice."""

    def asked_to_start(self, request: Message) -> Message:
        if isinstance(request["params"].get("control_socket_path"), str):
            request["params"]["control_socket_path"] += ".other"
        return request


@mutant("transport.bridge.asks-the-daemon", base="transport")
class MakesItsSubjectsUp(Relaying):
    """Shows a subject of its own and asks nobody."""

    def exchange(self, client: socket.socket, path: str, request: bytes) -> None:
        if path == "/subjects":
            client.sendall(answer("200 OK", "application/json", b'{"subjects":[{"title":"Learn to knit"}]}'))
        else:
            super().exchange(client, path, request)


@mutant("transport.bridge.shows-what-the-daemon-says", base="transport")
class ReadsLatin(Relaying):
    """Spoils letters that are not ASCII."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        return head + re.sub(rb"[\x80-\xff]", b"?", body)


@mutant("transport.bridge.shows-what-the-daemon-says", base="transport")
class ShowsOne(Relaying):
    """Shows the first subject alone."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        if not body.startswith(b'{"subjects"'):
            return head + body
        return answer("200 OK", "application/json", body.partition(b"}, {")[0] + b"}]}")


@mutant("transport.bridge.without-the-daemon", base="transport")
class FallsSilent(Relaying):
    """Closes connections without a word while the daemon is away, except for the root."""

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        return head + body if path == "/" or self.daemon_is_there() else CUT


@mutant("transport.bridge.after-a-restart-of-the-daemon", base="transport")
class GivesUp(Relaying):
    """Says 503 for ever, once the daemon was away."""

    gave_up = False

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        self.gave_up = self.gave_up or not self.daemon_is_there()
        return answer("503 Service Unavailable", "text/plain", b"no daemon\n") if self.gave_up else head + body


@mutant("transport.stream.shows-what-happens", base="transport")
class IsQuiet(Relaying):
    """Opens streams, and tells nothing on them."""

    def piece(self, path: str, piece: bytes) -> bytes:
        return b": nothing happens\n\n"


@mutant("transport.stream.shows-what-happens", base="transport")
class HasNoStreams(Relaying):
    """Says 404 where streams are said to be."""

    def exchange(self, client: socket.socket, path: str, request: bytes) -> None:
        if path == "/events":
            client.sendall(answer("404 Not Found", "text/plain", b"no stream\n"))
        else:
            super().exchange(client, path, request)


class Numbered(Relaying):
    """Does something to one event of what happens in a row, the tenth."""

    kept = b""

    def piece(self, path: str, piece: bytes) -> bytes:
        return self.tenth(piece) if b"foghorn-009" in piece else self.other(piece)

    def tenth(self, piece: bytes) -> bytes:
        """What is told in its place."""
        raise NotImplementedError

    def other(self, piece: bytes) -> bytes:
        """What is told in place of any other."""
        return piece


@mutant("transport.stream.leaves-no-gap", base="transport")
class LosesTheTenth(Numbered):
    """Loses one event."""

    def tenth(self, piece: bytes) -> bytes:
        return b""


@mutant("transport.stream.leaves-no-gap", base="transport")
class TellsTheTenthTwice(Numbered):
    """Tells one event twice."""

    def tenth(self, piece: bytes) -> bytes:
        return piece + piece


@mutant("transport.stream.leaves-no-gap", base="transport")
class TellsTheTenthLate(Numbered):
    """Tells one event after the next."""

    def tenth(self, piece: bytes) -> bytes:
        self.kept = piece
        return b""

    def other(self, piece: bytes) -> bytes:
        kept, self.kept = self.kept, b""
        return piece + kept
