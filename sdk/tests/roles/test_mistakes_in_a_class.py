"""What is wrong with a class is said before it runs, in a sentence that says what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.subject import Subject, SubjectChangedEvent, SubjectFilter
from animus_sdk import EnvRequirement, LogStorageBackend, Notifier, Plugin, SubjectBackend, TransportBackend, inline
from animus_sdk.roles.trigger import TriggerBackend


def mistakes_of(base: type[Plugin], **members: Any) -> list[str]:
    """The mistakes of a class with these members."""
    return list(type("Mine", (base,), {"name": "mine", "version": "1", **members}).mistakes())


def test_a_good_class_has_none() -> None:
    assert mistakes_of(Plugin) == []
    assert mistakes_of(SubjectBackend, subject_kinds=("ticket",)) == []
    assert mistakes_of(TransportBackend) == []


@pytest.mark.parametrize(
    ("members", "mistake"),
    [
        ({"name": None}, 'Mine has no name: write name = "…" in the class'),
        ({"version": ""}, 'Mine has no version: write version = "…" in the class'),
        ({"name": "a\ud83d"}, 'Mine has no name: write name = "…" in the class'),
        ({"description": None}, 'Mine.description is None: write description = "…" in the class'),
        ({"description": b"x"}, "Mine.description is b'x': write description = \"…\" in the class"),
        ({"description": "\ud83d"}, "Mine.description is '\\ud83d': write description = \"…\" in the class"),
        ({"description": "x" * 70_000}, "Mine.description has 70000 characters: write 65536 at most"),
        *[
            (
                {"notification_buffer_size": size},
                f"Mine.notification_buffer_size is {size!r}: write a number from 0 on, or leave it out",
            )
            for size in (True, "3", -1, 2**64)
        ],
        ({"threads": 0}, "Mine.threads is 0: write a number from 1 on"),
        (
            {"env": (EnvRequirement(name="K\ud83d"),)},
            "Mine.env has EnvRequirement(name='K\\ud83d', description=None, required=False, sensitive=False): "
            "name and description are texts, required and sensitive True or False",
        ),
        (
            {"env": EnvRequirement(name="KEY")},
            'Mine.env is no tuple of EnvRequirement: write env = (EnvRequirement(name="API_KEY"),)',
        ),
    ],
)
def test_identity_and_environment_are_looked_at(members: dict[str, Any], mistake: str) -> None:
    assert mistakes_of(Plugin, **members) == [mistake]


@pytest.mark.parametrize(
    ("base", "word", "example"),
    [
        (SubjectBackend, "subject_kinds", "ticket"),
        (TriggerBackend, "trigger_kinds", "mail"),
        (Notifier, "connector_kinds", "mail"),
        (TransportBackend, "transport_kinds", "http"),
    ],
)
def test_kinds_are_a_tuple_of_texts(base: type[Plugin], word: str, example: str) -> None:
    advice = f'write {word} = ("{example}",) in the class'
    assert mistakes_of(base, **{word: ()}) == [f"Mine has no {word}: {advice}"]
    assert mistakes_of(base, **{word: ("",)}) == [f"Mine.{word} is no tuple of texts: {advice}"]
    assert mistakes_of(base, **{word: 7}) == [f"Mine.{word} is no tuple of texts: {advice}"]
    assert mistakes_of(base, **{word: "task"}) == [
        f'Mine.{word} is one text and has to be a tuple: write {word} = ("task",) in the class'
    ]


def test_what_has_to_answer_and_what_has_to_yield_is_told_apart() -> None:
    async def awaited(self: Any, *args: Any) -> Any: ...

    def yielded(self: Any, *args: Any) -> Iterator[int]:
        yield 1

    async def yielded_async(self: Any, *args: Any) -> AsyncIterator[int]:
        yield 1

    def returned(self: Any, *args: Any) -> Iterator[int]:
        return iter([1])

    kinds = {"subject_kinds": ("ticket",), "trigger_kinds": ("mail",), "connector_kinds": ("mail",)}
    for base, word in ((SubjectBackend, "watch"), (TriggerBackend, "watch"), (LogStorageBackend, "tail")):
        (mistake,) = mistakes_of(base, **kinds, **{word: awaited})
        assert mistake == f"Mine.{word} is async and yields nothing: write a generator, with yield"
        assert mistakes_of(base, **kinds, **{word: inline(lambda self, *args: iter([]))}) == [
            f"Mine.{word} is a stream: take @inline off"
        ]
        for right in (yielded, yielded_async, returned):
            assert mistakes_of(base, **kinds, **{word: right}) == []
    for base, word in (
        (Plugin, "start"),
        (SubjectBackend, "get"),
        (TriggerBackend, "ack"),
        (LogStorageBackend, "store"),
        (Notifier, "notify"),
        (TransportBackend, "open"),
    ):
        for wrong in (yielded, yielded_async):
            assert mistakes_of(base, **kinds, **{word: wrong}) == [
                f"Mine.{word} yields: write return, its answer is one value"
            ]
        assert mistakes_of(base, **kinds, **{word: awaited}) == []
    for right in (yielded, yielded_async, returned, awaited):
        assert mistakes_of(SubjectBackend, **kinds, list=right) == []


def test_a_subclass_of_a_good_class_stays_good() -> None:
    class Tickets(SubjectBackend):
        name = "tickets"
        version = "1"
        subject_kinds = ("ticket",)

        async def start(self, project: ProjectBinding) -> None: ...

        async def list(self, filter: SubjectFilter) -> AsyncIterator[Subject]:  # noqa: A002 - the protocol's word
            for subject in ():
                yield subject

        async def watch(self, filter: SubjectFilter) -> AsyncIterator[SubjectChangedEvent]:  # noqa: A002 - as above
            for event in ():
                yield event

    assert Tickets.mistakes() == []
