"""Mutants that cost too much. They are slow or big by so much that no load of the machine can hide it."""

from __future__ import annotations

import time

from mutation import Message, Mutation, Sent, mutant


@mutant("budget.start-up", base="custom")
class TakesItsTime(Mutation):
    """Thinks for two seconds before it answers initialize."""

    def asked(self, request: Message) -> Message:
        if request["method"] == "initialize":
            time.sleep(2)  # slow is what this one is
        return request


@mutant("budget.latency", base="custom")
class ThinksAboutEachPing(Mutation):
    """Thinks about each of the first two hundred pings."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "$/ping" and request["id"] <= 200:
            time.sleep(0.02)  # slow is what this one is
        return reply


@mutant("budget.throughput", base="custom")
class ThinksUnderLoad(Mutation):
    """Thinks about each ping behind the first two hundred."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "$/ping" and request["id"] > 201:
            time.sleep(0.03)  # slow is what this one is
        return reply


@mutant("budget.memory", base="custom")
class KeepsEverything(Mutation):
    """Uses 100 MiB, once it has started: to fill them at the start would cost more than a start-up may."""

    def notified(self, notification: Message) -> Message:
        if notification["method"] == "initialized":
            self.kept = b"x" * (100 * 1024 * 1024)
        return notification
