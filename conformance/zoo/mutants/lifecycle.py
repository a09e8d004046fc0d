"""Mutants of the manifest and the life cycle."""

from __future__ import annotations

import json
import os
import time

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, AskedOtherwise, Refusing


@mutant("manifest.prints-one-object", base="custom")
class PrintsAGreeting(Mutation):
    """Greets before the manifest."""

    def manifest(self, manifest: Message) -> bytes:
        return b"Welcome!\n" + json.dumps(manifest).encode()


@mutant("manifest.prints-one-object", base="custom")
class EndsWithOne(Mutation):
    """Prints the manifest and ends with 1."""

    def manifest_exit(self, code: int) -> int:
        return 1


@mutant("manifest.has-its-fields", base="custom")
class HasNoDescription(Mutation):
    """Leaves the description out."""

    def manifest(self, manifest: Message) -> Message:
        del manifest["description"]
        return manifest


@mutant("manifest.has-its-fields", base="custom")
class DeclaresItsEnvironmentAsText(Mutation):
    """Says env_required as one text."""

    def manifest(self, manifest: Message) -> Message:
        return {**manifest, "env_required": "WEATHER_TOKEN"}


@mutant("manifest.names-a-current-protocol", base="custom")
class IsOfTheNextMajor(Mutation):
    """Says protocol 2.0.0 in the manifest."""

    def manifest(self, manifest: Message) -> Message:
        return {**manifest, "protocol_version": "2.0.0"}


@mutant("manifest.is-of-this-kind", base="subject")
class MisspellsItsKind(Mutation):
    """Calls itself a tracker, in manifest and initialize."""

    def manifest(self, manifest: Message) -> Message:
        return {**manifest, "plugin_kind": "tracker"}

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "initialize" and "result" in reply:
            reply["result"]["plugin_info"]["plugin_kind"] = "tracker"
        return reply


@mutant("manifest.is-stable", base="custom")
class TellsTheTime(Mutation):
    """Says in the description when it was asked."""

    def manifest(self, manifest: Message) -> Message:
        return {**manifest, "description": f"asked at {time.time_ns()}"}


@mutant("initialize.result-has-its-type", base="custom")
class HasNoCapabilities(AnsweredOtherwise):
    """Answers initialize without capabilities."""

    method = "initialize"

    def changed(self, params: Any, result: Any) -> Any:
        return {name: value for name, value in result.items() if name != "capabilities"}


@mutant("initialize.agrees-with-the-manifest", base="custom")
class RunsAnotherVersion(AnsweredOtherwise):
    """Says another version in initialize than in the manifest."""

    method = "initialize"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "plugin_info": {**result["plugin_info"], "version": "1.0.1"}}


@mutant("initialize.names-a-current-protocol", base="custom")
class AnswersAsTheNextMajor(AnsweredOtherwise):
    """Answers initialize with protocol 2.0.0."""

    method = "initialize"

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "protocol_version": "2.0.0"}


@mutant("initialize.accepts-both-minors", base="custom")
class WantsTheNewestMinor(Refusing):
    """Refuses a host of protocol 1.0.0."""

    method = "initialize"
    code = -32602
    message = "protocol 1.1.0 is needed"

    def is_refused(self, params: Message) -> bool:
        return params.get("protocol_version") == "1.0.0"


@mutant("initialize.refuses-another-major", base="custom")
class TakesAnyMajor(AskedOtherwise):
    """Serves a host of any version."""

    method = "initialize"

    def change(self, params: Any) -> None:
        params["protocol_version"] = "1.0.0"


@mutant("initialize.ignores-unknown-extensions", base="custom")
class KnowsAllThereIs(Refusing):
    """Refuses initialize with a member that it does not know."""

    method = "initialize"
    code = -32602
    message = "x_new: unknown"

    def is_refused(self, params: Message) -> bool:
        return "x_new" in params


@mutant("initialize.without-extensions-answers", base="custom")
class TakesTheProjectForGranted(Mutation):
    """Dies of an initialize without init_extensions."""

    def asked(self, request: Message) -> Message | None:
        if request["method"] == "initialize" and "init_extensions" not in request["params"]:
            os._exit(1)
        return request


@mutant("initialize.comes-first", base="custom")
class DiesOfImpatience(Mutation):
    """Dies of a request before initialize."""

    initialized = False

    def asked(self, request: Message) -> Message | None:
        if request["method"] == "initialize":
            self.initialized = True
        elif not self.initialized:
            os._exit(1)
        return request


@mutant("lifecycle.ping", base="custom")
class DoesNotKnowPing(Mutation):
    """Refuses $/ping."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.refusal(request, -32601) if request["method"] == "$/ping" else reply


@mutant("lifecycle.health-check", base="custom")
class ClaimsHealth(Mutation):
    """Says a status that nobody knows."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.result(request, {"status": "fine"}) if request["method"] == "health/check" else reply


@mutant("lifecycle.unknown-method", base="custom")
class KnowsEverything(Mutation):
    """Answers a method that it does not know with {}."""

    def answers(self, request: Message, reply: Message) -> Sent:
        return self.result(request, {}) if request["method"] == "conformance/no_such_method" else reply


@mutant("lifecycle.unknown-notifications", base="custom")
class DiesOfNews(Mutation):
    """Dies of a notification that it does not know."""

    def notified(self, notification: Message) -> Message | None:
        if notification["method"] == "conformance/no_such_notification":
            os._exit(1)
        return notification


@mutant("lifecycle.shutdown-is-answered", base="custom")
class ShutsDownInSilence(Mutation):
    """Does not answer shutdown, unless there is much to do."""

    seen = 0

    def answers(self, request: Message, reply: Message) -> Sent:
        self.seen += 1
        return None if request["method"] == "shutdown" and self.seen < 10 else reply


@mutant("lifecycle.exit-ends-it", base="custom")
class StaysAfterExit(Mutation):
    """Stays when it was asked to shut down and to exit, unless there was much to do."""

    seen = 0
    shut_down = False

    def asked(self, request: Message) -> Message | None:
        self.seen += 1
        self.shut_down = self.shut_down or request["method"] == "shutdown"
        return request

    def notified(self, notification: Message) -> Message | None:
        return None if notification["method"] == "exit" and self.shut_down and self.seen < 10 else notification


@mutant("lifecycle.exit-code-0", base="custom")
class EndsWithThree(Mutation):
    """Ends with 3 after shutdown and exit."""

    def at_exit(self, code: int) -> int:
        return 3


@mutant("lifecycle.helps-on-a-terminal", base="custom")
class SaysNothingOnATerminal(Mutation):
    """Ends with 0 and without a word on a terminal."""

    def on_terminal(self) -> int:
        return 0
