"""The params of `initialize`: the same project, whether they are plain or a model has to look at them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from animus_protocol.errors import InvalidParams, RpcError
from animus_sdk import ProjectBinding
from animus_sdk.greeting import read_greeting


def params(**changes: Any) -> dict[str, Any]:
    plain = {"protocol_version": "1.0.0", "host_info": {"name": "h", "version": "0"}, "capabilities": {}}
    return {**plain, **changes}


def extensions(**binding: Any) -> dict[str, Any]:
    return {"init_extensions": {"project_binding": binding}}


@pytest.mark.parametrize(
    ("given", "project"),
    [
        (params(**extensions(project_root="/p", repo_scope="s")), ProjectBinding("/p", "s")),
        (params(**extensions(project_root="/p", repo_scope=None, later=1)), ProjectBinding("/p")),
        (params(**extensions(project_root="/p")), ProjectBinding("/p")),
        (params(capabilities={"streaming": None, "progress": True}, init_extensions=None), None),
        (params(capabilities={"streaming": "true"}), None),
        (params(init_extensions={"project_binding": None}), None),
        (params(init_extensions={"other": 1}, later=1), None),
    ],
)
def test_the_project_is_the_hosts_or_else_the_folder_of_the_process(
    given: dict[str, Any], project: ProjectBinding | None
) -> None:
    assert read_greeting(given) == (project or ProjectBinding(os.getcwd()))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (None, "initialize"),
        ({}, "protocol_version"),
        (params(protocol_version=1), "protocol_version"),
        (params(host_info={"name": "h"}), "host_info.version"),
        (params(capabilities={"streaming": "perhaps"}), "capabilities.streaming"),
        (params(capabilities=None), "capabilities"),
        (params(init_extensions=[]), "init_extensions"),
        (params(init_extensions=""), "init_extensions"),
        (params(init_extensions={"project_binding": []}), "project_root"),
        (params(**extensions(repo_scope="s")), "project_root"),
        (params(**extensions(project_root="/p", repo_scope=1)), "project_binding"),
    ],
)
def test_params_that_do_not_fit_are_refused_with_their_place(given: object, place: str) -> None:
    with pytest.raises(InvalidParams, match=place):
        read_greeting(given)


@pytest.mark.parametrize("binding", [{"project_root": "/p", "repo_scope": "s"}, {"project_root": "/p"}, {}])
def test_another_major_is_refused_before_the_project_is_read(binding: dict[str, str]) -> None:
    with pytest.raises(RpcError, match="the majors differ"):
        read_greeting(params(protocol_version="2.0.0", **extensions(**binding)))
