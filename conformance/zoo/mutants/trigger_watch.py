"""Mutants of a trigger that cannot be watched in every way."""

from __future__ import annotations

import os
from typing import Any

from mutation import Message, Mutation, Sent, mutant

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

    def tells(self, notification: Message) -> Sent:
        copies = max(self.streams, 1)  # an event may come before the reply that counts its stream
        return [notification] * copies if notification["method"] == EVENT else notification


@mutant("trigger.watch.second-watch-leaves-one", base="trigger")
class StopsAtASecondWatch(Watched):
    """Refuses a second watch and ends the first."""

    is_over = False

    def asked(self, request: Message) -> Message:
        self.is_over = self.is_over or (request["method"] == WATCH and self.is_open)
        return request

    def tells(self, notification: Message) -> Sent:
        return None if notification["method"] == EVENT and self.is_over else notification


@mutant("trigger.watch.cancel-ends-it", base="trigger")
class WatchesForEver(Mutation):
    """Ignores the cancellation of a watch."""

    def __init__(self) -> None:
        self.watches: list[Any] = []

    def asked(self, request: Message) -> Message:
        if request["method"] == WATCH:
            self.watches.append(request["id"])
        return request

    def told(self, notification: Message) -> Message | None:
        params = notification.get("params")
        is_cancellation = notification["method"] == "$/cancelRequest" and isinstance(params, dict)
        return None if is_cancellation and params.get("id") in self.watches else notification


@mutant("trigger.watch.bad-config", base="trigger")
class SwallowsAnyConfig(Mutation):
    """Takes a configuration of another type for none."""

    def asked(self, request: Message) -> Message:
        if request["method"] == WATCH and not _is_config(request["params"]):
            request["params"]["config"] = None
        return request


@mutant("trigger.watch.bad-config", base="trigger")
class FailsAtAConfig(Mutation):
    """Refuses a configuration of another type with an internal error."""

    def asked(self, request: Message) -> Message | None:
        if request["method"] == WATCH and not _is_config(request["params"]):
            self.say(self.refusal(request, -32603, "unexpected type"))
            return None
        return request


@mutant("trigger.watch.unknown-cursor", base="trigger")
class WaitsForItsCursor(Mutation):
    """Does not answer a watch with a cursor that it has never given out."""

    def asked(self, request: Message) -> Message | None:
        params = request["params"]
        is_unknown = isinstance(params, dict) and "year" in str(params.get("cursor"))
        return None if request["method"] == WATCH and is_unknown else request


@mutant("trigger.watch.unknown-cursor", base="trigger")
class IsBrokenByACursor(Mutation):
    """Refuses every watch after one with a cursor."""

    is_broken = False

    def asked(self, request: Message) -> Message | None:
        params = request["params"]
        if request["method"] == WATCH and isinstance(params, dict):
            self.is_broken = self.is_broken or params.get("cursor") is not None
            if self.is_broken:
                self.say(self.refusal(request, -32602, "unknown cursor"))
                return None
        return request


@mutant("trigger.watch.foreign-triggers", base="trigger")
class WantsAllTriggers(Mutation):
    """Refuses a configuration with a trigger that is not its own."""

    def asked(self, request: Message) -> Message | None:
        config = request["params"].get("config") if isinstance(request["params"], dict) else None
        if request["method"] == WATCH and "schedule" in str(config):
            self.say(self.refusal(request, -32602, "config.triggers[0].config.folder: missing"))
            return None
        return request


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


def _is_config(params: Any) -> bool:
    if not isinstance(params, dict):
        return True
    config = params.get("config")
    return config is None or (isinstance(config, dict) and isinstance(config.get("triggers"), list | None))
