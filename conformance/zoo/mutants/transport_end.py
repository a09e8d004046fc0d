"""Mutants of how a transport ends."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

from mutation import Any, Message, Sent, mutant

from mutants.transport_relay import Relaying, Watching, die


@mutant("transport.shutdown.result-has-its-type", base="transport")
class SaysThatItStays(Watching):
    """Shuts down, and answers shutdown false."""

    def shut_down(self, request: Message, reply: Message) -> Sent:
        return self.result(request, {"shutdown": False})


@mutant("transport.shutdown.result-has-its-type", base="transport")
class AnswersWithAList(Watching):
    """Answers a shutdown with a list."""

    def shut_down(self, request: Message, reply: Message) -> Sent:
        return self.result(request, [])


@mutant("transport.shutdown.releases-the-address", base="transport")
class OnlySaysThatItIsDown(Watching):
    """Answers a shutdown, and goes on listening."""

    def asked_to_shut_down(self, request: Message) -> Message | None:
        self.say(self.result(request, {}))
        return None


@mutant("transport.shutdown.twice", base="transport")
class IsDownAlready(Watching):
    """Refuses a second shutdown."""

    been_down = False

    def asked_to_shut_down(self, request: Message) -> Message | None:
        if self.starts and self.been_down and not self.listens:
            self.say(self.refusal(request, -32600, "not started", category="invalid_request"))
            return None
        self.been_down = self.listens
        return request


@mutant("transport.shutdown.twice", base="transport")
class DiesTwice(Watching):
    """Dies after the answer to a second shutdown."""

    def shut_down(self, request: Message, reply: Message) -> Sent:
        self.downs = getattr(self, "downs", 0) + 1
        if self.starts and self.downs > 1:
            self.say(reply)
            die()
        return reply


@mutant("transport.shutdown.before-start", base="transport")
class MissesItsServer(Watching):
    """Dies of a shutdown when nothing was ever started and it is the first thing that is asked."""

    requests = 0

    def asked(self, request: Message) -> Message | None:
        self.requests += 1
        return super().asked(request)

    def asked_to_shut_down(self, request: Message) -> Message | None:
        if not self.starts and self.requests == 2:
            die()
        return request


class Waiting(Relaying):
    """Puts a shutdown off for as long as somebody holds it up."""

    put_off: Message | None = None

    def asked_to_shut_down(self, request: Message) -> Message | None:
        with self.under_way:
            if self.is_held_up():
                self.put_off = request
                return None
        return super().asked_to_shut_down(request)

    def _serve(self, client: socket.socket) -> None:
        super()._serve(client)
        with self.under_way:
            if self.put_off is None or self.is_held_up():
                return
            put_off, self.put_off = self.put_off, None
        super().asked_to_shut_down(put_off)
        self.pass_on(put_off)

    def is_held_up(self) -> bool:
        """Whether somebody does now."""
        raise NotImplementedError


@mutant("transport.shutdown.with-open-connections", base="transport")
class LetsStreamsEnd(Waiting):
    """Waits for the end of streams before it shuts down."""

    def is_held_up(self) -> bool:
        return "/events" in self.clients.values()


@mutant("transport.shutdown.with-open-connections", base="transport")
class HasAllTheTime(Waiting):
    """Waits for the daemon's answers before it shuts down, however long that takes."""

    def is_held_up(self) -> bool:
        return "/subjects" in self.clients.values()


@mutant("transport.shutdown.with-open-connections", base="transport")
class WaitsForTheSilent(Waiting):
    """Waits for whoever is connected and says nothing."""

    silent = 0

    def _serve(self, client: socket.socket) -> None:
        with self.under_way:
            self.silent += 1
        with contextlib.suppress(OSError):  # whoever hangs up is silent no more, either
            client.recv(1, socket.MSG_PEEK)
        with self.under_way:
            self.silent -= 1
        super()._serve(client)

    def is_held_up(self) -> bool:
        return self.silent > 0


@mutant("transport.shutdown.finishes-what-is-under-way", base="transport")
class HangsUp(Relaying):
    """Cuts connections at a shutdown."""

    def asked_to_shut_down(self, request: Message) -> Message | None:
        with self.under_way:
            for client in self.clients:
                client.shutdown(socket.SHUT_RDWR)
        return super().asked_to_shut_down(request)


@mutant("transport.shutdown.finishes-what-is-under-way", base="transport")
class AnswersInAHurry(Relaying):
    """Answers what is under way at a shutdown with half of it."""

    down = False

    def asked_to_shut_down(self, request: Message) -> Message | None:
        self.down = True
        return super().asked_to_shut_down(request)

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        return head + (body[: len(body) // 2] if self.down else body)


@mutant("transport.end.exit", base="transport")
class StaysForItsServer(Watching):
    """Stays after exit as long as it listens."""

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == "exit" and self.listens else notification


@mutant("transport.end.exit", base="transport")
class LeavesItsServerBehind(Watching):
    """After exit a child goes on listening."""

    exits = False

    def started(self, request: Message, reply: Message) -> Sent:
        self.bound = reply["result"]["bound_addr"]
        return reply

    def notified(self, notification: Message) -> Message | None:
        self.exits = self.exits or notification["method"] == "exit"
        return notification

    def at_exit(self, code: int) -> int:
        if self.exits and self.listens:
            listen_as_a_child(self.bound)
        return code


@mutant("transport.end.end-of-input", base="transport")
class ServesNobody(Watching):
    """Stays after the end of its input as long as it listens."""

    def at_end_of_input(self) -> bool:
        return not self.listens


@mutant("transport.end.sigterm", base="transport")
class FinishesFirst(Watching):
    """Takes no notice of SIGTERM as long as it listens."""

    def at_sigterm(self) -> bool:
        return not self.listens


def listen_as_a_child(bound: Any) -> None:
    """A process that listens there until it is killed; returns when it does."""
    program = (
        "import socket, sys, time; host, _, port = sys.argv[1].rpartition(':')\n"
        "sock = socket.create_server((host, int(port))); print(flush=True); time.sleep(60)"  # it is to stay
    )
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", program, bound], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    child.stdout.readline()
