"""Subjects reach the plugin that owns their kind, whatever it advertises and under whatever names it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from animus_core.errors import Conflict, UnclaimedKind
from animus_core.kinds.subjects.router import SubjectRouter, match_kind
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_protocol.errors import RpcError
from animus_protocol.models import subject as wire
from animus_protocol.models.lifecycle import ProjectBinding

MakePlugin = Callable[..., Plugin]


@pytest.fixture
def project(tmp_path: Path) -> ProjectBinding:
    return ProjectBinding(project_root=str(tmp_path), repo_scope="scope")


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("task", "task"),
        ("jira.bug", "jira.bug"),
        ("jira.story", "jira.*"),
        ("jira.cloud.bug", "jira.cloud.*"),
        ("jira", None),
        ("jirax.bug", None),
        ("tasks", None),
        ("", None),
    ],
)
def test_an_exact_kind_beats_a_glob_and_the_longest_glob_wins(kind: str, claim: str | None) -> None:
    assert match_kind(kind, ["jira.*", "jira.cloud.*", "jira.bug", "task"]) == claim


def router_of(*plugins: Plugin, project: ProjectBinding) -> SubjectRouter:
    return SubjectRouter.build(Discovery(plugins, ()), project)


def test_two_plugins_with_the_same_claim_are_refused_by_name(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    one, two = (make_plugin(ECHO, name, capabilities=["subject_kind:task"]) for name in ("one", "two"))
    with pytest.raises(Conflict, match="one and two both claim subject kind 'task'"):
        router_of(one, two, project=project)


def test_an_unknown_kind_is_not_found_and_the_known_ones_are_listed(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    plugin = make_plugin(ECHO, capabilities=["subject_kind:task", "subject_kind:jira.*"])
    with pytest.raises(UnclaimedKind, match=r"no plugin serves subjects of kind 'bug' \(served: jira.\*, task\)"):
        router_of(plugin, project=project).owner("bug")


ECHO = """
SUBJECT = {"id": "1", "kind": "task", "status": "ready", "created_at": "2026-01-01T00:00:00Z",
           "updated_at": "2026-01-01T00:00:00Z"}
for request in receive():
    if request["method"] == "initialize": reply(request, GREETING)
    elif request["method"] == "shutdown": break
    else: reply(request, {**SUBJECT, "title": request["method"]})
"""


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        (["task/get"], "task/get"),
        (["subject/get"], "subject/get"),
        (["subject/get", "task/get"], "task/get"),
        ([], "task/get"),
    ],
)
async def test_a_backend_is_asked_under_the_name_that_it_advertises(
    served: list[str], asked: str, make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    router = router_of(make_plugin(ECHO, capabilities=["subject_kind:task", *served]), project=project)
    assert (await router.get("task", "1")).title == asked
    await router.close()


SAYS_ITS_KINDS = ECHO.replace(
    "reply(request, GREETING)",
    'reply(request, {**GREETING, "capabilities": {"methods": ["task/get"], "subject_kinds": ["task", "bug"]}})',
)


async def test_kinds_that_only_the_handshake_tells_are_learned_when_they_are_needed(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    router = router_of(make_plugin(SAYS_ITS_KINDS), project=project)
    assert router.kinds == ()
    assert (await router.get("task", "1")).title == "task/get"
    assert router.kinds == ("task", "bug")
    await router.close()


async def test_a_claim_of_the_handshake_that_another_plugin_has_is_refused_by_both_names(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    first = make_plugin(ECHO, "first", capabilities=["subject_kind:bug"])
    router = router_of(first, make_plugin(SAYS_ITS_KINDS, "second"), project=project)
    with pytest.raises(Conflict, match="first and second both claim subject kind 'bug'"):
        await router.learn()
    assert router.kinds == ("bug",)
    await router.close()


async def test_a_backend_that_advertises_nothing_is_asked_both_ways_and_then_in_its_own(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    only_subject = """
asked = []
for request in receive():
    if request["method"] == "initialize": reply(request, GREETING)
    elif request["method"] == "shutdown": break
    elif request["method"] == "subject/get": reply(request, {**SUBJECT, "title": " ".join(asked)})
    else:
        asked.append(request["method"])
        refuse(request, -32601, "method not found")
"""
    source = ECHO[: ECHO.index("for request")] + only_subject

    router = router_of(make_plugin(source, capabilities=["subject_kind:task"]), project=project)
    assert [(await router.get("task", "1")).title for _ in range(2)] == ["task/get", "task/get"]
    await router.close()


async def test_a_subject_of_another_kind_than_was_asked_for_is_none_of_it(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    router = router_of(make_plugin(ECHO, capabilities=["subject_kind:bug"]), project=project)
    with pytest.raises(RpcError) as raised:
        await router.get("bug", "1")  # it answers with a task
    assert raised.value.category == "not_found"
    with pytest.raises(UnclaimedKind):
        await router.call("nonsense", wire.SUBJECT_GET, wire.SubjectGetParams(id="1"))
    await router.close()
