"""What is told without a model is, byte for byte, what the models would have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from animus_protocol.models.base import encode
from animus_protocol.models.lifecycle import InitializeResult
from animus_protocol.version import PROTOCOL_VERSION
from animus_sdk import (
    Bundle,
    EnvRequirement,
    LogStorageBackend,
    Notifier,
    Plugin,
    Provider,
    SubjectBackend,
    TransportBackend,
    TriggerBackend,
    method,
    tool,
)


class Bare(Plugin):
    name = "bare"
    version = "0"


class Tasks(SubjectBackend):
    name = "tasks"
    version = "1.2.3"
    description = 'Aufgaben, größer als „klein“ \\ " \x7f \u2028'
    subject_kinds = ("task", "issue.*")
    notification_buffer_size = 0
    env = (EnvRequirement(name="TOKEN", sensitive=True), EnvRequirement("URL", "where it is", required=True))

    def get(self, id: str) -> Any:  # noqa: A002 - the protocol's word
        return None

    def watch(self, filter: Any) -> Any:  # noqa: A002 - the protocol's word
        yield

    @method("tasks/count")
    def count(self) -> int:
        return 0


class Agent(Provider):
    name = "agent"
    version = "1"

    def run(self, request: Any, ctx: Any) -> Any:
        return "done"


class Mails(Notifier):
    name = "mails"
    version = "1"
    connector_kinds = ("mail",)
    notification_buffer_size = 7


class Log(LogStorageBackend):
    name = "log"
    version = "1"


class Gateway(TransportBackend[Any]):
    name = "gateway"
    version = "1"
    supports_streaming = True


class Inbox(TriggerBackend[Any]):
    name = "inbox"
    version = "1"
    trigger_kinds = ("mail",)


class Together(Bundle):
    name = "together"
    version = "1"
    parts = (Tasks, Mails, Agent)


class Tools(Plugin):
    name = "tools"
    version = "1"

    @tool
    def search(self, text: str) -> str:
        """Look it up."""
        return text


CLASSES = [Bare, Tasks, Agent, Mails, Log, Gateway, Inbox, Together]


@pytest.mark.parametrize("cls", [*CLASSES, Tools])
def test_the_manifest_is_what_the_model_would_write(cls: type[Plugin]) -> None:
    assert cls.mistakes() == []
    assert cls.profile().manifest_json() == encode(cls.manifest())


@pytest.mark.parametrize("cls", CLASSES)
def test_the_answer_to_initialize_is_what_the_model_would_write(cls: type[Plugin]) -> None:
    model = InitializeResult(protocol_version=PROTOCOL_VERSION, plugin_info=cls.info(), capabilities=cls.capabilities())
    assert encode(cls.profile().initialized()) == encode(model)


def test_tools_are_described_by_a_model() -> None:
    assert Tools.profile().initialized() is None
    (described,) = json.loads(encode(Tools.capabilities()))["mcp_tools"]
    assert described["description"] == "Look it up."


@pytest.mark.parametrize("size", [-1, 2**64, "7", 1.5, True])
def test_what_is_not_plain_is_left_to_the_models(size: Any) -> None:
    class Odd(Bare):
        notification_buffer_size = size

    assert Odd.profile().manifest_json() is None


@pytest.mark.parametrize("wrong", [EnvRequirement(name=5), EnvRequirement("KEY", required="yes")])  # type: ignore[arg-type]  # the mistake
def test_a_variable_that_is_not_described_in_texts_is_a_mistake(wrong: EnvRequirement) -> None:
    class Odd(Bare):
        env = (wrong,)

    (sentence,) = Odd.mistakes()
    assert sentence == f"Odd.env has {wrong!r}: name and description are texts, required and sensitive True or False"
