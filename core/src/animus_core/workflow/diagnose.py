"""Turns what pydantic found in a definition into issues that a person can act on.

Below lie `definitions`, `issues` and `located`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from animus_core.workflow.definitions import Definition
from animus_core.workflow.issues import Issue, closest, did_you_mean, shown
from animus_core.workflow.located import Located
from animus_core.workflow.yaml_source import A_BOOLEAN

__all__ = ["build", "key_issue"]

T = TypeVar("T", bound=Definition)
Path = tuple[str | int, ...]

MAX_DETAILS: Final = 100  # pydantic reports every item of a long list; people fix the first ones first
EXPECTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
# Keys that people know from elsewhere, or put a level too high or too low, and where they belong.
ELSEWHERE: Final = {
    "pipelines": "write it under `workflows`",
    "variables": "write `variables` inside a workflow",
    "subjects": "give it to the subject plugin's own configuration",
    "max_rework_attempts": "write it on the entry in the workflow's `phases`",
    "on_verdict": "write it on the entry in the workflow's `phases`",
    "timeout_secs": "write it under `command` or `runtime`",
    "tool": "write it under `runtime`, or in the agent",
    "model": "write it under `runtime`, or in the agent",
}


def build(model: type[T], located: Located) -> tuple[T | None, list[Issue]]:
    """The definition that `located` holds, and its mistakes.

    Keys that must not be there are reported and left out, so that what remains can be checked further; None when
    something else is wrong.
    """
    issues: list[Issue] = []
    # Twice: without the keys that must not be there, the second try checks what stands beside them.
    for _ in range(2):
        try:
            return model.model_validate(located.plain()), issues
        except ValidationError as error:
            details = error.errors(include_url=False)
        independent = [detail for detail in details if not _is_consequence(detail, details, located)]
        issues += [_issue(model, located, detail) for detail in independent[:MAX_DETAILS]]
        if len(independent) > MAX_DETAILS or any(detail["type"] != "extra_forbidden" for detail in details):
            return None, issues
        for detail in details:
            located = located.without(detail["loc"])
    return None, issues


def key_issue(located: Located, key: str, model_keys: Mapping[str, bool]) -> Issue:
    """The issue of a key that is not accepted; `model_keys`: known keys → whether this version supports them."""
    if model_keys.get(key) is True:
        return Issue.at(located.place, f"{shown(key)} is another spelling of a key that is here too", "keep one")
    if model_keys.get(key) is False:
        return Issue.at(located.place, f"{shown(key)} is not supported yet", "remove it")
    supported = [name for name, is_supported in model_keys.items() if is_supported]
    near = closest(key, model_keys)
    if near is not None and model_keys[near]:
        hint = did_you_mean(key, supported, "")
    else:
        hint = ELSEWHERE.get(key, f"remove it; the keys here are {', '.join(sorted(supported))}")
    return Issue.at(located.place, f"unknown key {shown(key)}", hint)


def _is_consequence(detail: ErrorDetails, details: list[ErrorDetails], root: Located) -> bool:
    """What follows from a mistake that is reported anyway: a refused value, a list without its faulty items."""
    path = detail["loc"]
    if detail["type"] == "too_short":
        return any(other is not detail and other["loc"][: len(path)] == path for other in details)
    return root.find(*path).refused and detail["type"] != "missing"


def _issue(model: type[Definition], root: Located, detail: ErrorDetails) -> Issue:
    path: Path = tuple(step for step in detail["loc"] if step != "[key]")
    here = root.find(*path)
    name = _spoken(path)
    kind, given = detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _model_at(model, path[:-1])
        return key_issue(here, str(path[-1]), owner.keys() if owner is not None else {})
    if kind == "missing":
        return Issue.at(here.place, f"{name} is missing", f"add {shown(path[-1])} here")
    if kind in EXPECTED:
        hint = "correct it"
        if kind == "string_type":
            hint = A_BOOLEAN if isinstance(given, bool) else "put it in quotes"
            hint = "write text here" if isinstance(given, dict | list) else hint
        return Issue.at(here.place, f"{name}: expected {EXPECTED[kind]}, found {_kind_of(given)}", hint)
    if kind == "too_short" or (kind == "string_too_short" and not given):
        return Issue.at(
            here.place, f"{name} is empty", "add at least one" if kind == "too_short" else "write text here"
        )
    if kind == "enum":
        return _enum_issue(model, here, path, str(given))
    if kind == "string_pattern_mismatch":
        hint = "use letters, digits and `. _ - /`, and begin with a letter or digit"
        return Issue.at(here.place, f"{name}: {shown(given)} is not a valid id", hint)
    hint = str(context.get("hint", "correct it"))
    return Issue.at(here.place, f"{name}: {_lower_first(detail['msg'])}", hint)


def _enum_issue(model: type[Definition], here: Located, path: Path, given: str) -> Issue:
    allowed = _enum_at(model, path)
    what = "verdict" if "on_verdict" in path or str(path[-1]).endswith("_verdict") else f"{path[-1]}"
    listed = ", ".join(allowed)
    near = closest(given, allowed)
    hint = f"write one of {listed}" if near is None else f"did you mean {shown(near)}? ({listed})"
    return Issue.at(here.place, f"unknown {what} {shown(given)}", hint)


def _spoken(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return shown(text.removeprefix(".") or "value")


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value!r}"[:40]
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "nothing"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _leaves(annotation: Any) -> Iterator[Any]:
    """The classes inside `tuple[X, ...]`, `dict[K, V]`, `X | None` and `Annotated[X, …]`, keys first."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _leaves(typing.get_args(annotation)[0])
    elif origin in (tuple, list, dict, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _leaves(argument)
    else:
        yield annotation


def _model_at(model: type[Definition], path: Path) -> type[Definition] | None:
    """The model that validates the mapping at `path`: list positions and free keys lead no deeper."""
    here: type[Definition] = model
    for step in path:
        info = here.model_fields.get(step) if isinstance(step, str) else None
        if info is None:
            continue
        inner = [leaf for leaf in _leaves(info.annotation) if isinstance(leaf, type) and issubclass(leaf, Definition)]
        if not inner:
            return None
        here = inner[0]
    return here


def _enum_at(model: type[Definition], path: Path) -> list[str]:
    for cut in range(len(path), 0, -1):
        owner = _model_at(model, path[: cut - 1])
        info = owner.model_fields.get(str(path[cut - 1])) if owner is not None else None
        for leaf in _leaves(info.annotation) if info is not None else ():
            if isinstance(leaf, type) and issubclass(leaf, StrEnum):
                return [member.value for member in leaf]
    return []
