"""The params of `initialize`. Hosts send the same few texts, so they are read here, and wire models see only the rest.

Below it lie the wire models of the life cycle, for what is not plain.
"""

from __future__ import annotations

import os
from typing import Any, Final

from pydantic_core import ValidationError

from animus_protocol.errors import Code, InvalidParams, RpcError
from animus_protocol.version import PROTOCOL_VERSION, is_compatible
from animus_sdk.declarations import ProjectBinding

__all__ = ["read_greeting"]

_FLAGS: Final = ("streaming", "progress", "cancellation")


def read_greeting(raw: Any) -> ProjectBinding:
    """The project that the host works for. Raises InvalidParams, and RpcError where the protocols differ."""
    match raw:
        case {
            "protocol_version": str(version),
            "host_info": {"name": str(), "version": str()},
            "capabilities": dict(capabilities),
        } if all(capabilities.get(flag) in (None, True, False) for flag in _FLAGS):
            project = _plain(raw.get("init_extensions"))
            if project is not None:
                _check_version(version)
                return project
    return _modelled(raw)


def _plain(extensions: Any) -> ProjectBinding | None:
    """The project in plain extensions, None where a model has to say what is wrong with them."""
    match extensions:
        case None | {"project_binding": None}:
            # A host that names no project starts its plugins in it (protocol §2).
            return ProjectBinding(os.getcwd())
        case {"project_binding": {"project_root": str(root), "repo_scope": str(scope)}}:
            return ProjectBinding(root, scope)
    return None


def _modelled(raw: object) -> ProjectBinding:
    from animus_protocol.models import lifecycle
    from animus_protocol.reading import read_params

    params = read_params(lifecycle.INITIALIZE, raw)
    _check_version(params.protocol_version)
    try:
        project = params.project_binding()
    except ValidationError as error:
        raise InvalidParams("init_extensions.project_binding: project_root is missing or no text") from error
    return ProjectBinding(os.getcwd()) if project is None else ProjectBinding(project.project_root, project.repo_scope)


def _check_version(version: str) -> None:
    if not is_compatible(version):
        raise RpcError(
            Code.INVALID_REQUEST,
            f"protocol {version} asked, {PROTOCOL_VERSION} spoken here: the majors differ",
        )
