"""Mutants of how a transport says what it is and begins to listen."""

from __future__ import annotations

import socket

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, Unserved

from mutants.transport_relay import SCHEMA, SHUTDOWN, START, Watching, dead_address, die, is_free


class Schema(AnsweredOtherwise):
    """Changes the schema."""

    method = SCHEMA


@mutant("transport.schema.result-has-its-type", base="transport")
class NamesOneKind(Schema):
    """Says its kinds as one text."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "kinds": "http"}


@mutant("transport.schema.result-has-its-type", base="transport")
class SaysNothingOfWebSockets(Schema):
    """Leaves supports_websocket out."""

    def changed(self, params: Any, result: Any) -> Any:
        del result["supports_websocket"]
        return result


@mutant("transport.schema.result-has-its-type", base="web-ui")
class HasAPortBeyondAllPorts(Schema):
    """Says default_port 80800."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "default_port": 80800}


@mutant("transport.schema.default-port", base="transport")
class TakesAnotherPort(Schema):
    """Says default_port 8080, and lets the system choose."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "default_port": 8080}


@mutant("transport.start.is-advertised", base="transport")
class CannotBeStarted(Unserved):
    """Has no transport/start."""

    method = START


@mutant("transport.start.is-advertised", base="transport")
class CannotBeShutDown(Unserved):
    """Has no transport/shutdown."""

    method = SHUTDOWN


@mutant("transport.start.result-has-its-type", base="transport")
class CountsSeconds(Watching):
    """Says started_at as a number."""

    def started(self, request: Message, reply: Message) -> Sent:
        reply["result"]["started_at"] = 1_700_000_000
        return reply


@mutant("transport.start.result-has-its-type", base="transport")
class SplitsItsAddress(Watching):
    """Says bound_addr as host and port."""

    def started(self, request: Message, reply: Message) -> Sent:
        host, _, port = reply["result"]["bound_addr"].rpartition(":")
        reply["result"]["bound_addr"] = {"host": host, "port": int(port)}
        return reply


@mutant("transport.start.result-has-its-type", base="transport")
class AnswersWithNothing(Watching):
    """Answers transport/start with {}."""

    def started(self, request: Message, reply: Message) -> Sent:
        return self.result(request, {})


@mutant("transport.start.listens", base="transport")
class ListensElsewhere(Watching):
    """Tells an address where nobody listens."""

    def started(self, request: Message, reply: Message) -> Sent:
        if self.starts == 1 and not str(request["params"].get("bind_addr")).endswith(":0"):
            reply["result"]["bound_addr"] = dead_address()
        return reply


@mutant("transport.start.listens", base="transport")
class TellsWordsForAnAddress(Watching):
    """Says bound_addr in words."""

    def started(self, request: Message, reply: Message) -> Sent:
        if self.starts == 1:
            reply["result"]["bound_addr"] = "the loopback"
        return reply


@mutant("transport.start.started-at", base="transport")
class BeganInTheBeginning(Watching):
    """Says started_at 1970."""

    def started(self, request: Message, reply: Message) -> Sent:
        reply["result"]["started_at"] = "1970-01-01T00:00:00Z"
        return reply


@mutant("transport.start.binds-what-was-asked", base="transport")
class LikesOtherPorts(Watching):
    """Listens on a port of the system's choice, when the one that was asked for is free."""

    def asked_to_start(self, request: Message) -> Message:
        bind_addr = request["params"].get("bind_addr")
        if isinstance(bind_addr, str) and is_free(bind_addr):
            request["params"]["bind_addr"] = "127.0.0.1:0"
        return request


@mutant("transport.start.port-0", base="transport")
class RepeatsWhatWasAsked(Watching):
    """Says bound_addr as it was asked, port 0 too."""

    def started(self, request: Message, reply: Message) -> Sent:
        reply["result"]["bound_addr"] = request["params"].get("bind_addr") or reply["result"]["bound_addr"]
        return reply


@mutant("transport.start.port-0", base="transport")
class KnowsNoPort0(Watching):
    """Refuses port 0."""

    def asked_to_start(self, request: Message) -> Message | None:
        if str(request["params"].get("bind_addr")).endswith(":0"):
            self.say(self.refusal(request, -32602, "port 0 is no port", category="invalid_request"))
            return None
        return request


@mutant("transport.start.without-bind-addr", base="transport")
class WantsAnAddress(Watching):
    """Refuses a start without bind_addr."""

    def asked_to_start(self, request: Message) -> Message | None:
        params = request["params"]
        if isinstance(params.get("control_socket_path"), str) and "bind_addr" not in params:
            self.say(self.refusal(request, -32602, "bind_addr: missing", category="invalid_request"))
            return None
        return request


@mutant("transport.start.without-bind-addr", base="transport")
class TakesNullForAnAddress(Watching):
    """Refuses bind_addr null."""

    def asked_to_start(self, request: Message) -> Message | None:
        if "bind_addr" in request["params"] and request["params"]["bind_addr"] is None:
            self.say(self.refusal(request, -32602, "bind_addr: expected a text", category="invalid_request"))
            return None
        return request


@mutant("transport.start.loopback-by-default", base="transport")
class IsOpenToAll(Watching):
    """Listens on every address of the machine when nobody says where."""

    def asked_to_start(self, request: Message) -> Message:
        if isinstance(request["params"].get("control_socket_path"), str) and "bind_addr" not in request["params"]:
            request["params"]["bind_addr"] = "0.0.0.0:0"
        return request


@mutant("transport.start.loopback-by-default", base="web-ui")
class SaysThatItIsCareful(IsOpenToAll):
    """The same, and says in bound_addr that it listens on the loopback."""

    def started(self, request: Message, reply: Message) -> Sent:
        _, _, port = reply["result"]["bound_addr"].rpartition(":")
        reply["result"]["bound_addr"] = f"127.0.0.1:{port}"
        return reply


def _is_taken(request: Message) -> bool:
    bind_addr = request["params"].get("bind_addr")
    if not isinstance(bind_addr, str) or is_free(bind_addr):
        return False
    host, _, port = bind_addr.rpartition(":")
    return port.isdecimal() and int(port) < 65536 and host == "127.0.0.1"


@mutant("transport.start.taken-address-is-not-claimed", base="transport")
class ClaimsWhatOthersHave(Mutation):
    """Says that it listens where somebody else does."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == START and "error" in reply and reply["error"]["data"]["category"] == "address_in_use":
            info = {"bound_addr": request["params"]["bind_addr"], "started_at": "2026-03-02T09:30:00Z"}
            return self.result(request, info)
        return reply


@mutant("transport.start.taken-address-is-not-claimed", base="transport")
class SharesItsPort(Watching):
    """Dies of a taken address."""

    def asked_to_start(self, request: Message) -> Message:
        if _is_taken(request):
            die()
        return request


@mutant("transport.start.names-a-taken-address", base="transport")
class KnowsOneTrouble(Mutation):
    """Refuses a taken address with the category unavailable."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == START and "error" in reply and reply["error"]["data"]["category"] == "address_in_use":
            reply["error"]["data"]["category"] = "unavailable"
        return reply


@mutant("transport.start.names-a-taken-address", base="transport")
class GoesNextDoor(Watching):
    """Takes another port than the one that is taken."""

    def asked_to_start(self, request: Message) -> Message:
        if _is_taken(request):
            request["params"]["bind_addr"] = "127.0.0.1:0"
        return request


@mutant("transport.start.bad-address", base="transport")
class TakesAnythingForAnAddress(Watching):
    """Listens on a port of the system's choice when the address is none."""

    def asked_to_start(self, request: Message) -> Message:
        bind_addr = request["params"].get("bind_addr")
        if isinstance(bind_addr, str) and not is_free(bind_addr) and not _is_taken(request):
            request["params"]["bind_addr"] = "127.0.0.1:0"
        return request


@mutant("transport.start.bad-params", base="transport")
class TakesNumbersForPaths(Watching):
    """Takes a control_socket_path that is a number, as long as the rest is right."""

    def asked_to_start(self, request: Message) -> Message:
        params = request["params"]
        if isinstance(params.get("control_socket_path"), int):
            params["control_socket_path"] = str(params["control_socket_path"])
        return request


@mutant("transport.start.bad-params", base="transport")
class TakesNumbersForAddresses(Watching):
    """Takes a bind_addr that is a number for a port."""

    def asked_to_start(self, request: Message) -> Message:
        params = request["params"]
        if isinstance(params.get("bind_addr"), int):
            params["bind_addr"] = f"127.0.0.1:{params['bind_addr']}"
        return request


@mutant("transport.start.without-a-daemon", base="transport")
class DiesOfLoneliness(Watching):
    """Dies of a start without a daemon."""

    def asked_to_start(self, request: Message) -> Message:
        path = request["params"].get("control_socket_path")
        if isinstance(path, str) and path.endswith("no-daemon.sock"):
            with socket.socket(socket.AF_UNIX) as sock:
                if sock.connect_ex(path):
                    die()
        return request


@mutant("transport.start.without-a-daemon", base="transport")
class HopesForADaemon(Watching):
    """Without a daemon it says that it listens, and does not."""

    def started(self, request: Message, reply: Message) -> Sent:
        if request["params"]["control_socket_path"].endswith("no-daemon.sock"):
            reply["result"]["bound_addr"] = dead_address()
        return reply


@mutant("transport.start.twice", base="transport")
class LetsGoOfTheFirst(Watching):
    """Refuses a second start, and stops listening."""

    def asked_to_start(self, request: Message) -> Message:
        return {**request, "method": "transport/shutdown", "params": {}} if self.listens else request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == START and self.listens:
            return self.refusal(request, -32600, "started already", category="invalid_request")
        return super().answers(request, reply)


@mutant("transport.start.twice", base="transport")
class PromisesASecond(Watching):
    """Answers a second start with the address that was asked, and listens on the first alone."""

    def asked_to_start(self, request: Message) -> Message | None:
        bind_addr = request["params"].get("bind_addr")
        if self.listens and isinstance(bind_addr, str) and is_free(bind_addr):
            info = {"bound_addr": bind_addr, "started_at": "2026-03-02T09:30:00Z"}
            self.say(self.result(request, info))
            return None
        return request


@mutant("transport.start.after-shutdown", base="transport")
class LivesOnce(Watching):
    """Dies of a start that follows a shutdown."""

    def asked_to_start(self, request: Message) -> Message:
        if self.starts and not self.listens and isinstance(request["params"].get("control_socket_path"), str):
            die()
        return request


@mutant("transport.start.after-shutdown", base="transport")
class RemembersItsAddress(Watching):
    """Answers a start that follows a shutdown, and does not listen."""

    def started(self, request: Message, reply: Message) -> Sent:
        if self.starts > 1:
            reply["result"]["bound_addr"] = dead_address()
        return reply
