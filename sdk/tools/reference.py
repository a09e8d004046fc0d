"""The reference page of the SDK, as Markdown: `python sdk/tools/reference.py > docs/reference/sdk.md`.

Run by maintainers; a test holds the page against it. Below lie the public names of `animus_sdk`, whose docstrings and
signatures the page is made of, and `conversations.py`, which carries out the examples.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, get_args, get_type_hints

from conversations import EXAMPLES, Example, carried_out
from markdown import cell, fenced, flat, said_of_variables, signature, simple, text, wrapped

import animus_sdk
from animus_sdk import Plugin, RpcError, WireModel, crash_points, http, testing

PUBLIC: Final = sorted(name for names in animus_sdk.NAMES.values() for name in names)
_TOP: Final = """\
# The SDK

Every name of `animus_sdk`: a section for each kind of plugin, verb by verb, then the context of a request, errors,
helpers and types. [Write a plugin](../how-to/write-a-plugin.md) explains them in the order in which one needs them.
This page is made from the SDK itself, and the examples are carried out for it: `python sdk/tools/reference.py`.

Of a plugin's class you override what you need. What is overridden is advertised; the rest is answered with
[NotSupported](#errors). Every verb may be `def` or `async def`: `Answer[X]` in a signature means an `X`, or something
to await that gives one, and `Stream[X]` an async generator or a plain one. A verb may raise any of the
[errors](#errors); those that are named beside it mean something there. In the examples `→` is what the host sends and
`←` what the plugin sends.
"""


class Kind(NamedTuple):
    """A section of the page: a role class, the verbs that its authors override, the methods that ask for them."""

    title: str
    role: type[Plugin]
    verbs: dict[str, str]


KINDS: Final = (
    Kind(
        "Subject backends",
        animus_sdk.SubjectBackend,
        {
            verb: f"`subject/{verb}` and `<kind>/{verb}`"
            for verb in ("list", "get", "create", "update", "next", "status", "delete", "watch", "schema")
        },
    ),
    Kind("Providers", animus_sdk.Provider, {"run": "`agent/run`", "resume": "`agent/resume`"}),
    Kind(
        "Triggers",
        animus_sdk.TriggerBackend,
        {"watch": "`trigger/watch`", "ack": "`trigger/ack`", "schema": "`trigger/schema`"},
    ),
    Kind(
        "Log storages",
        animus_sdk.LogStorageBackend,
        {verb: f"`log_storage/{verb}`" for verb in ("store", "query", "tail", "schema")},
    ),
    Kind("Notifiers", animus_sdk.Notifier, {verb: f"`notifier/{verb}`" for verb in ("notify", "flush", "schema")}),
    Kind(
        "Transports",
        animus_sdk.TransportBackend,
        {"open": "`transport/start`", "close": "`transport/shutdown`", "schema": "`transport/schema`"},
    ),
)
_LIFE: Final = {"start": "`initialize`", "stop": "`shutdown`", "health": "`health/check`"}


def page() -> str:
    """The whole page."""
    parts = [_TOP, *_every_plugin(), *(part for kind in KINDS for part in _kind(kind)), *_web_ui(), *_context()]
    return "\n\n".join(part.strip("\n") for part in [*parts, *_errors(), *_helpers(), *_types()]) + "\n"


def _every_plugin() -> Iterator[str]:
    yield "## Every plugin"
    yield "`class Plugin`, kind `custom`; the base of all others."
    yield text(Plugin)
    yield _variables(
        Plugin, ("name", "version", "description", "env", "threads", "notification_buffer_size", "project")
    )
    for verb, method in _LIFE.items():
        yield from _verb(Plugin, verb, method)
    yield "### Methods and tools of your own"
    said = carried_out(EXAMPLES["Plugin"])
    yield from _function(animus_sdk.method)
    yield from _function(animus_sdk.tool)
    yield from _program(EXAMPLES["Plugin"])
    yield fenced("\n".join(said.values()))
    yield "### Bundle"
    yield "`class Bundle`: several kinds in one process."
    yield text(animus_sdk.Bundle)


def _kind(kind: Kind) -> Iterator[str]:
    example = EXAMPLES[kind.role.__name__]
    said = carried_out(example)
    yield f"## {kind.title}"
    yield f"`class {kind.role.__name__}`, kind `{kind.role.plugin_kind}`."
    yield text(kind.role)
    if variables := _variables(kind.role, list(vars(kind.role).get("__annotations__", {}))):
        yield variables
    yield from _program(example)
    for verb, method in kind.verbs.items():
        yield from _verb(kind.role, verb, method)
        if verb in said:
            yield fenced(said[verb])


def _web_ui() -> Iterator[str]:
    example = EXAMPLES["WebUi"]
    yield "## Web UIs"
    yield "`class WebUi`, kind `web_ui`. Its verbs are those of [transports](#transports)."
    yield text(animus_sdk.WebUi)
    yield from _program(example)
    yield fenced("\n".join(carried_out(example).values()))


def _context() -> Iterator[str]:
    yield "## The request"
    for cls, where in (
        (animus_sdk.Context, "`self.ctx` in every handler."),
        (animus_sdk.AgentContext, "`ctx` in `run`."),
    ):
        yield f"### {cls.__name__}"
        yield where
        yield text(cls)
        yield _members(cls)
    yield "### Control"
    yield text(animus_sdk.Control)
    yield _members(animus_sdk.Control)


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield wrapped(
        "What a plugin raises is answered with a code and a category, and received as the same class. Whatever else is "
        'raised is answered as "internal error" and logged with its traceback.'
    )
    rows = ["| class | code | category | |", "|---|---|---|---|"]
    for name in PUBLIC:
        cls = getattr(animus_sdk, name)
        if isinstance(cls, type) and issubclass(cls, animus_sdk.ProtocolError):
            rows.append(f"| `{name}` | {_code(cls)} | {cell(text(cls))} |")
    yield "\n".join(rows)


def _code(cls: type[Exception]) -> str:
    """The cells of the code and the category, which an error of this class has."""
    words = {"message": "x", "what": "x", "method": "x"}
    if not issubclass(cls, RpcError):
        return "| "
    if cls is RpcError:
        return "yours | `data.category`"
    if cls is animus_sdk.FileLocked:
        return _code(animus_sdk.Unavailable)
    wanted = [name for name in inspect.signature(cls).parameters if name in words]
    make: Any = cls
    error = make(**{name: words[name] for name in wanted})
    return f"{int(error.code)} | {f'`{error.category}`' if error.category else ''}"


def _helpers() -> Iterator[str]:
    yield "## Helpers"
    for name in PUBLIC:
        value = getattr(animus_sdk, name)
        if inspect.isfunction(value) and name not in ("method", "tool"):
            yield from _function(value)
    yield "### FileLock"
    yield text(animus_sdk.FileLock)
    yield _members(animus_sdk.FileLock)
    for module in (testing, http, crash_points):
        yield f"### {module.__name__}"
        yield text(module)
        yield f"Its names: {', '.join(f'`{name}`' for name in module.__all__)}."


def _types() -> Iterator[str]:
    yield "## Types"
    yield "Fields without a default have to be given. Unknown fields are ignored when a value is read."
    for name in PUBLIC:
        value = getattr(animus_sdk, name)
        if not isinstance(value, type) or not issubclass(value, (enum.Enum, tuple, WireModel)):
            continue
        yield f"### {name}"
        yield text(value)
        if issubclass(value, enum.Enum):
            yield wrapped("One of " + ", ".join(f"`{member.value}`" for member in value) + ".")
        elif issubclass(value, WireModel) and value.model_fields:
            yield _fields(value)
        elif issubclass(value, tuple):
            kinds = inspect.get_annotations(value).items()
            defaults = {name: f" = {default!r}" for name, default in getattr(value, "_field_defaults", {}).items()}
            yield "\n".join(
                f"- `{name}: {simple(kind.__forward_arg__)}{defaults.get(name, '')}`" for name, kind in kinds
            )
    for cls in (animus_sdk.Opening, animus_sdk.Method):
        yield f"### {cls.__name__}"
        yield text(cls)
    yield "### Aliases"
    yield "\n".join(wrapped(f"- `{name}`: {said}", "  ") for name, said in _aliases())


def _aliases() -> Iterator[tuple[str, str]]:
    """The public names that stand for a type, with what is written below them in their modules."""
    for home, names in animus_sdk.NAMES.items():
        said = said_of_variables(inspect.getsource(import_module(home)))
        yield from ((name, said[name]) for name in names if name in said)


def _fields(model: type[WireModel]) -> str:
    hints = {
        name: hint for base in reversed(model.__mro__) for name, hint in vars(base).get("__annotations__", {}).items()
    }
    rows = ["| field | type | default |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        spelled = name if field.alias in (None, name) else f"{name}` (`{field.alias}` on the wire)`".removesuffix("`")
        rows.append(f"| `{spelled}{'' if spelled != name else '`'} | {_type_cell(str(hints[name]))} | {default} |")
    return "\n".join(rows)


def _default(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def _type_cell(hint: str) -> str:
    """A type as code, linked where it is one of this page's."""
    spelled = simple(hint)
    cell = f"`{spelled}`".replace("|", "\\|")
    linked = [name for name in re.findall(r"\w+", spelled) if _has_section(name)]
    return cell if not linked else f"{cell} ({', '.join(f'[{name}](#{name.lower()})' for name in linked)})"


def _verb(role: type[Plugin], verb: str, method: str) -> Iterator[str]:
    function = getattr(role, verb)
    yield f"### {role.__name__}.{verb}"
    yield f"Asked by {method}."
    yield fenced(f"def {verb}{signature(function)}", "python")
    yield text(function)
    kinds = sorted({kind.__name__ for hint in _hints(function) for kind in _types_in(hint)})
    if kinds:
        yield "Types: " + ", ".join(f"[{name}](#{name.lower()})" for name in kinds) + "."
    errors = [name for name in re.findall(r"\w+", inspect.getdoc(function) or "") if _is_error(name)]
    if errors:
        yield f"[Errors](#errors): {', '.join(f'`{name}`' for name in dict.fromkeys(errors))}."


def _function(function: Any) -> Iterator[str]:
    yield f"### {function.__name__}"
    yield fenced(f"def {function.__name__}{signature(function)}", "python")
    yield text(function)


def _members(cls: type) -> str:
    """The public methods and properties of a class, a bullet each."""
    rows = []
    for name, value in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            rows.append(f"- `{name}`: {flat(value.fget)}")
        elif inspect.isfunction(value):
            rows.append(f"- `{name}{signature(value)}`: {flat(value)}")
    return "\n".join(wrapped(row, "  ") for row in rows)


def _variables(cls: type, names: Iterable[str]) -> str:
    """The class variables, with what stands below them in the source."""
    said = said_of_variables(inspect.getsource(cls))
    hints = vars(cls)["__annotations__"]
    rows = []
    for name in names:
        if name in ("served_by", "streamed"):
            continue
        default = f" = {getattr(cls, name)!r}" if name in vars(cls) else ""
        rows.append(f"- `{name}: {simple(hints[name])}{default}`" + (f": {said[name]}" if name in said else ""))
    return "\n".join(wrapped(row, "  ") for row in rows)


def _hints(function: Any) -> Iterator[Any]:
    yield from get_type_hints(function).values()


def _types_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and _has_section(hint.__name__):
        yield hint
    origin = getattr(hint, "__origin__", None)
    if isinstance(origin, type) and _has_section(origin.__name__):
        yield origin
    for part in get_args(hint):
        yield from _types_in(part)


def _has_section(name: str) -> bool:
    value = getattr(animus_sdk, name, None) if name in PUBLIC else None
    own = (enum.Enum, WireModel, tuple, animus_sdk.Opening, animus_sdk.Context)
    return isinstance(value, type) and issubclass(value, own)


def _is_error(name: str) -> bool:
    value = getattr(animus_sdk, name, None) if name in PUBLIC else None
    return isinstance(value, type) and issubclass(value, animus_sdk.ProtocolError)


def _program(example: Example) -> Sequence[str]:
    return [fenced(example.source, "python")]


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what the command is for
