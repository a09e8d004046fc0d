"""Reads the steps of a script: one function a kind of step, each returning a checked step.

Below it lie `nodes.py` (positions) and `model.py` (what comes out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from animus_provider_mock import model
from animus_provider_mock.nodes import Field
from animus_sdk import Verdict

__all__ = ["read_steps"]

_VERDICTS: Final = tuple(verdict.value for verdict in Verdict)
_RISKS: Final = ("low", "medium", "high")
_INTERNAL_ERROR: Final = -32603
# The code of an error has 32 bits on the wire.
_LOWEST_CODE: Final = -(2**31)


def read_steps(field: Field, *, inside_once: bool = False) -> tuple[model.Step, ...]:
    """The steps of a list. Raises ScriptError."""
    return tuple(_read_step(item, inside_once) for item in field.items())


def _read_step(item: Field, inside_once: bool) -> model.Step:
    entries = replace(item, name="a step").fields([*_READERS, "once"])
    if len(entries) != 1:
        what = f"this step has {len(entries)} keys: {', '.join(entries)}" if entries else "this step is empty"
        raise item.problem(what, 'give each step one key, and start each with "- "')
    kind, field = next(iter(entries.items()))
    if kind != "once":
        return _READERS[kind](field)
    if inside_once:
        raise field.problem("once inside once", "move the inner steps out: the outer one covers them")
    inner = field.fields(["steps"], required=["steps"])["steps"]
    return model.Once(item.at, read_steps(inner, inside_once=True))


def _say(field: Field) -> model.Step:
    if not field.is_mapping:
        return model.Say(field.at, field.text())
    found = field.fields(["text", "chunk", "every_s"], required=["text"])
    chunk = found["chunk"].whole(1) if "chunk" in found else None
    every_s = found["every_s"].number() if "every_s" in found else 0.0
    return model.Say(field.at, found["text"].text(), chunk, every_s)


def _think(field: Field) -> model.Step:
    return model.Think(field.at, field.text())


def _tool(field: Field) -> model.Step:
    found = field.fields(["name", "arguments", "result", "success", "server"], required=["name"])
    return model.Tool(
        field.at,
        found["name"].text(),
        found["arguments"].json() if "arguments" in found else {},
        found["result"].json() if "result" in found else "",
        found["success"].flag() if "success" in found else True,
        found["server"].text() if "server" in found else None,
    )


def _edit(field: Field) -> model.Step:
    found = field.fields(["path", "replace", "with", "content", "append", "delete"], required=["path"])
    ways = [key for key in ("replace", "content", "append", "delete") if key in found]
    if len(ways) != 1:
        given = f"has {', '.join(ways)}" if ways else "does not say what to do"
        raise field.problem(f"edit {given}", "give exactly one of: replace and with, content, append, delete")
    if ("replace" in found) != ("with" in found):
        raise field.problem("edit has replace or with alone", "give both")
    path = found["path"].text()
    match ways[0]:
        case "replace":
            old = found["replace"].text()
            if not old:
                raise found["replace"].problem("replace is an empty text", "write the text to be replaced")
            return model.Edit(field.at, path, replace=(old, found["with"].text()))
        case "content":
            return model.Edit(field.at, path, content=found["content"].text())
        case "append":
            return model.Edit(field.at, path, append=found["append"].text())
    if not found["delete"].flag():
        raise found["delete"].problem("delete is false", "write true, or remove the step")
    return model.Edit(field.at, path, delete=True)


def _run(field: Field) -> model.Step:
    if not field.is_mapping:
        return model.Run(field.at, _command(field))
    found = field.fields(["command", "timeout_s"], required=["command"])
    timeout_s = found["timeout_s"].number(more_than=0) if "timeout_s" in found else 60.0
    return model.Run(field.at, _command(found["command"]), timeout_s)


def _command(field: Field) -> tuple[str, ...]:
    if not field.is_list:
        raise field.problem(
            f"{field.name} needs a list", "write the program and each argument as an item: [git, status]"
        )
    words = tuple(item.text() for item in field.items())
    if not words or not words[0]:
        raise field.problem(f"{field.name} names no program", "write the program as the first item")
    return words


def _delay(field: Field) -> model.Step:
    return model.Delay(field.at, field.number())


def _wait_for(field: Field) -> model.Step:
    found = field.fields(["file", "timeout_s"], required=["file"])
    timeout_s = found["timeout_s"].number(more_than=0) if "timeout_s" in found else 30.0
    return model.WaitFor(field.at, found["file"].text(), timeout_s)


def _verdict(field: Field) -> model.Step:
    if not field.is_mapping:
        return model.GiveVerdict(field.at, {"verdict": field.choice(_VERDICTS)})
    keys = ["verdict", "reason", "confidence", "risk", "evidence", "target_phase", "commit_message", "raw"]
    found = field.fields(keys)
    if "raw" in found:
        if len(found) > 1:
            raise field.problem("raw stands beside other keys", "raw is the whole verdict: remove the others")
        return model.GiveVerdict(field.at, found["raw"].json())
    found = field.fields(keys, required=["verdict"])
    value = {key: item.json() for key, item in found.items()}
    value["verdict"] = found["verdict"].choice(_VERDICTS)
    if "risk" in found:
        value["risk"] = found["risk"].choice(_RISKS)
    if "confidence" in found and (confidence := found["confidence"].number()) > 1:
        raise found["confidence"].problem(f"confidence is {confidence:g}", "write a number from 0 to 1")
    if "evidence" in found:
        found["evidence"].items()
    for key in found.keys() & {"reason", "target_phase", "commit_message"}:
        value[key] = found[key].text()
    return model.GiveVerdict(field.at, value)


def _usage(field: Field) -> model.Step:
    found = field.fields(["input", "output", "cached", "cache_writes"])
    return model.Usage(field.at, {key: item.whole(0) for key, item in found.items()})


def _metadata(field: Field) -> model.Step:
    return model.Metadata(field.at, field.json())


def _error(field: Field) -> model.Step:
    if not field.is_mapping:
        return model.ErrorNote(field.at, field.text())
    found = field.fields(["message", "recoverable"], required=["message"])
    recoverable = found["recoverable"].flag() if "recoverable" in found else True
    return model.ErrorNote(field.at, found["message"].text(), recoverable)


_HOW_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "error": ("code", "message", "data"),
    "exit": ("status",),
    "kill": (),
    "hang": (),
    "garbage": ("text",),
    "exit_code": ("exit_code",),
}
GARBAGE: Final = "garbage: {this is not JSON]"


def _fail(field: Field) -> model.Step:
    if not field.is_mapping:
        how, found = field.choice(tuple(_HOW_KEYS)), {}
    else:
        # With the keys of all ways at first, until it is known which way; then with its own alone.
        everything = ["how", *{key: None for keys in _HOW_KEYS.values() for key in keys}]
        found = field.fields(everything, required=["how"])
        how = found["how"].choice(tuple(_HOW_KEYS))
        found = field.fields(["how", *_HOW_KEYS[how]])
    match how:
        case "error":
            code = found["code"].whole(_LOWEST_CODE, -1) if "code" in found else _INTERNAL_ERROR
            message = found["message"].text() if "message" in found else "the script failed the run"
            return model.Fail(field.at, how, code, message, found["data"].json() if "data" in found else None)
        case "exit":
            return model.Fail(field.at, how, found["status"].whole(0, 255) if "status" in found else 1)
        case "exit_code":
            return model.Fail(field.at, how, found["exit_code"].whole(0, 255) if "exit_code" in found else 1)
        case "garbage":
            return model.Fail(field.at, how, message=found["text"].text() if "text" in found else GARBAGE)
    return model.Fail(field.at, how)


def _ignore_cancel(field: Field) -> model.Step:
    if not field.flag():
        raise field.problem("ignore_cancel is false", "remove the step: a cancellation stops the steps anyway")
    return model.IgnoreCancel(field.at)


_READERS: Final[Mapping[str, Callable[[Field], model.Step]]] = {
    "say": _say,
    "think": _think,
    "tool": _tool,
    "edit": _edit,
    "run": _run,
    "delay_s": _delay,
    "wait_for": _wait_for,
    "verdict": _verdict,
    "usage": _usage,
    "metadata": _metadata,
    "error": _error,
    "fail": _fail,
    "ignore_cancel": _ignore_cancel,
}
