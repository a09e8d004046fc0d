"""A method that was meant for the host and that no host will call is refused before the plugin runs."""

from __future__ import annotations

from typing import Any

import pytest

from animus_sdk import (
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
from animus_sdk.testing import Harness


def mistakes(base: type[Plugin], **members: Any) -> list[str]:
    """The mistakes of a class with these members."""
    kinds = {"subject_kinds": ("task",), "connector_kinds": ("bell",), "trigger_kinds": ("mail",)}
    return list(type("Mine", (base,), {"name": "mine", "version": "1", **kinds, **members}).mistakes())


def anything(self: Any, *args: Any) -> Any:
    """A method that takes whatever it is given."""


@pytest.mark.parametrize(
    ("base", "written", "meant"),
    [
        (SubjectBackend, "statuss", "status"),
        (SubjectBackend, "craete", "create"),
        (SubjectBackend, "lst", "list"),
        (SubjectBackend, "upadte", "update"),
        (SubjectBackend, "gets", "get"),
        (SubjectBackend, "heatlh", "health"),
        (Notifier, "on_event", "notify"),
        (Notifier, "notfy", "notify"),
        (Provider, "resum", "resume"),
        (LogStorageBackend, "querry", "query"),
        (TriggerBackend, "wacth", "watch"),
        (TransportBackend, "opne", "open"),
        (TransportBackend, "closes", "close"),
        (Plugin, "strat", "start"),
        (Plugin, "stopp", "stop"),
    ],
)
def test_a_misspelled_method_is_refused_with_the_right_word(base: type[Plugin], written: str, meant: str) -> None:
    assert mistakes(base, **{written: anything}) == [
        f"Mine.{written} is called by no host: did you mean {meant!r}? If not, write _{written}, "
        "which is nobody's but yours"
    ]


async def test_a_host_gets_no_plugin_with_a_misspelled_method(tmp_path: Any) -> None:
    class Tasks(SubjectBackend):
        name, version = "tasks", "1"
        subject_kinds = ("task",)

        async def statuss(self, subject_id: str, status: str) -> None: ...

    with pytest.raises(ValueError, match=r"Tasks\.statuss is called by no host: did you mean 'status'\?"):
        async with Harness(Tasks, project_root=tmp_path):
            pass


def test_a_helper_that_only_looks_like_a_verb_is_nobodys_mistake() -> None:
    def uses_it(self: Any, subject_id: str) -> Any:
        return self.lists()

    def uses_it_inside(self: Any, subject_id: str) -> Any:
        return (piece for piece in self.lists())

    assert mistakes(SubjectBackend, _statuss=anything) == []
    assert mistakes(SubjectBackend, get=anything, gets=anything) == []  # `get` is there, so `gets` is another thing
    assert mistakes(SubjectBackend, get=uses_it, lists=anything) == []
    assert mistakes(SubjectBackend, get=uses_it_inside, lists=anything) == []
    assert mistakes(SubjectBackend, statuss=property(anything)) == []
    assert mistakes(SubjectBackend, statuss=("a", "b")) == []
    assert mistakes(SubjectBackend, status_of=anything, next_id=anything, set_status=anything, post=anything) == []
    assert mistakes(SubjectBackend, lists=tool(lambda self: None)) == []

    @method("mine/statuss")
    def statuss(self: Any) -> None: ...

    assert mistakes(SubjectBackend, statuss=statuss) == []


def test_a_misspelled_method_of_a_base_class_of_the_authors_own_is_found_and_one_of_the_sdk_is_none() -> None:
    base = type("Base", (SubjectBackend,), {"craete": anything})
    assert len(mistakes(base)) == 1
    assert mistakes(base, create=anything) == []


@pytest.mark.parametrize(
    ("base", "word", "function", "sentence"),
    [
        (
            SubjectBackend,
            "get",
            lambda self, id, extra: None,  # noqa: A006 - the protocol's word
            "Mine.get takes (self, id, extra), and a host gives (id): write def get(self, id: str) -> Subject",
        ),
        (
            SubjectBackend,
            "status",
            lambda self, id: None,  # noqa: A006 - as above
            "Mine.status takes (self, id), and a host gives (id, status): "
            "write def status(self, id: str, status: SubjectStatus) -> Subject",
        ),
        (
            SubjectBackend,
            "status",
            lambda self, status, id: None,  # noqa: A006 - as above
            "Mine.status takes status, id in another order: "
            "write def status(self, id: str, status: SubjectStatus) -> Subject",
        ),
        (
            SubjectBackend,
            "delete",
            lambda self, *, id: None,  # noqa: A006 - as above
            "Mine.delete takes (self, *, id), and a host gives (id): write def delete(self, id: str) -> bool",
        ),
        (
            Provider,
            "run",
            lambda self, request: None,
            "Mine.run takes (self, request), and a host gives (request, ctx): "
            "write def run(self, request: AgentRunRequest, ctx: AgentContext) -> Outcome",
        ),
        (Notifier, "notify", 7, "Mine.notify is 7 and no method: write def notify(self, event: DaemonEventRecord)"),
        (Plugin, "start", lambda self: None, "Mine.start takes (self), and a host gives (project): write def start("),
    ],
)
def test_a_verb_that_no_host_can_call_is_refused_with_the_right_signature(
    base: type[Plugin], word: str, function: Any, sentence: str
) -> None:
    (mistake,) = mistakes(base, **{word: function})
    assert mistake.startswith(sentence)


def test_other_names_more_parameters_with_defaults_and_static_methods_can_be_called() -> None:
    assert mistakes(SubjectBackend, get=lambda self, key: None) == []
    assert mistakes(SubjectBackend, get=lambda self, id, deep=False: None) == []  # noqa: A006 - the protocol's word
    assert mistakes(SubjectBackend, get=staticmethod(lambda id: None)) == []  # noqa: A006 - as above
    assert mistakes(SubjectBackend, get=classmethod(lambda cls, id: None)) == []  # noqa: A006 - as above
    assert mistakes(SubjectBackend, update=anything) == []
