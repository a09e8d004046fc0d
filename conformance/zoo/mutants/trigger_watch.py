"""Mutants of a trigger that cannot be watched in every way."""

from __future__ import annotations

import os

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AskedOtherwise, CancelledOtherwise, Refusing

from mutants.trigger import EVENT, WATCH


class Watched(Mutation):
    """Knows whether a watch is open."""

    is_open = False

    def answers(self, request: Message, reply: Message) -> Sent:
        self.is_open = self.is_open or (request["method"] == WATCH and "result" in reply)
        return reply


@mutant("trigger.watch.second-watch", base="trigger")
class DiesOfASecondWatch(Watched):
    """Dies of an ordinary watch while another is open."""

    def asked(self, request: Message) -> Message:
        if request["method"] == WATCH and self.is_open and _is_ordinary(request["params"]):
            os._exit(1)
        return request


@mutant("trigger.watch.second-watch", base="trigger")
class IgnoresASecondWatch(Watched):
    """Does not answer an ordinary watch while another is open."""

    def asked(self, request: Message) -> Message | None:
        return None if request["method"] == WATCH and self.is_open and _is_ordinary(request["params"]) else request


@mutant("trigger.watch.second-watch-leaves-one", base="trigger")
class WatchesTwice(Watched):
    """Opens a second stream beside the first and tells everything on both."""

    streams = 0

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != WATCH:
            return reply
        refused = "error" in reply and self.is_open
        super().answers(request, reply)
        self.streams += refused or "result" in reply
        return self.result(request, {"watching": True}) if refused else reply

    def notifies(self, notification: Message) -> Sent:
        copies = max(self.streams, 1)  # an event may come before the reply that counts its stream
        return [notification] * copies if notification["method"] == EVENT else notification


@mutant("trigger.watch.second-watch-leaves-one", base="trigger")
class StopsAtASecondWatch(Watched):
    """Refuses a second watch and ends the first."""

    is_over = False

    def asked(self, request: Message) -> Message:
        self.is_over = self.is_over or (request["method"] == WATCH and self.is_open)
        return request

    def notifies(self, notification: Message) -> Sent:
        return None if notification["method"] == EVENT and self.is_over else notification


@mutant("trigger.watch.cancel-ends-it", base="trigger")
class WatchesForEver(CancelledOtherwise):
    """Ignores the cancellation of a watch."""

    method = WATCH

    def cancelled(self, cancellation: Message) -> None:
        return None


@mutant("trigger.watch.bad-config", base="trigger")
class SwallowsAnyConfig(AskedOtherwise):
    """Takes a configuration of another type for none."""

    method = WATCH

    def change(self, params: Any) -> None:
        if not _is_config(params):
            params["config"] = None


@mutant("trigger.watch.bad-config", base="trigger")
class FailsAtAConfig(Refusing):
    """Refuses a configuration of another type with an internal error."""

    method = WATCH
    message = "unexpected type"

    def is_refused(self, params: Message) -> bool:
        return not _is_config(params)


@mutant("trigger.watch.unknown-cursor", base="trigger")
class WaitsForItsCursor(Mutation):
    """Does not answer a watch with a cursor that it has never given out."""

    def asked(self, request: Message) -> Message | None:
        params = request["params"]
        is_unknown = isinstance(params, dict) and "year" in str(params.get("cursor"))
        return None if request["method"] == WATCH and is_unknown else request


@mutant("trigger.watch.unknown-cursor", base="trigger")
class IsBrokenByACursor(Refusing):
    """Refuses every watch after one with a cursor."""

    method = WATCH
    code = -32602
    message = "unknown cursor"
    is_broken = False

    def is_refused(self, params: Message) -> bool:
        self.is_broken = self.is_broken or params.get("cursor") is not None
        return self.is_broken


@mutant("trigger.watch.foreign-triggers", base="trigger")
class WantsAllTriggers(Refusing):
    """Refuses a configuration with a trigger that is not its own."""

    method = WATCH
    code = -32602
    message = "config.triggers[0].config.folder: missing"

    def is_refused(self, params: Message) -> bool:
        return "schedule" in str(params.get("config"))


@mutant("trigger.watch.foreign-triggers", base="trigger")
class StumblesOverOthers(Mutation):
    """Ends the stream with an error over a trigger that is not its own."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != WATCH or "schedule" not in str(request["params"]):
            return reply
        error = {"code": -32602, "message": "config.triggers[0].config.folder: missing"}
        return [reply, {"jsonrpc": "2.0", "method": EVENT, "params": {"error": error}}]


def _is_ordinary(params: Any) -> bool:
    """Whether a watch is for what the settings configure, which made-up params never are."""
    return isinstance(params, dict) and "letters" in str(params.get("config")) and params.get("cursor") is None


def _is_config(params: Message) -> bool:
    config = params.get("config")
    return config is None or (isinstance(config, dict) and isinstance(config.get("triggers"), list | None))
