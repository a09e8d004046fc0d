"""The prompt of `animus plugin dev`: what a line means, and doing it.

Below lie the params by types and the workbench. Who types may go on while a call is worked on; the lines of a script
wait for each other, except for `cancel`.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import shlex
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from animus_core.cli.plugin.dev.terminal import Completer
from animus_core.cli.plugin.params import json_object, params_from, params_of, row_name
from animus_core.errors import InvalidInput
from animus_core.host.session import PluginSession
from animus_core.services.dev.trace import Remark, TraceEvent, now
from animus_core.services.dev.workbench import Workbench
from animus_protocol.methods import METHODS
from animus_protocol.models.lifecycle import HEALTH_CHECK, PING

__all__ = ["Command", "Prompt", "completions", "parse_line"]

_PATIENCE_S: Final = 0.5
_MOST_UNDER_WAY: Final = 64  # calls at once; a script that only pipes lines in must not fill the memory
_HELP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "METHOD [key=value …]": "call a method; a JSON object may stand before the pairs",
        "call METHOD [key=value …]": "the same, also for a method with one of these names",
        "cancel ID": "tell the plugin to cancel the request with this id",
        "ping": "call $/ping",
        "health": "call health/check",
        "manifest": "the plugin's manifest",
        "restart": "end the plugin and start it again",
        "help": "this list, and the methods",
        "quit": "end the plugin and leave",
    }
)
_WORDS: Final = ("call", "cancel", "ping", "health", "manifest", "restart", "help", "quit")
_CALLS: Final = {"ping": PING.name, "health": HEALTH_CHECK.name}
_NO_PARAMS: Final[Mapping[str, Any]] = MappingProxyType({})


class Command(NamedTuple):
    """A line that was understood. `word` is one of the list; of a `call`, `method` with `pairs` on top of `base`."""

    word: str
    method: str = ""
    pairs: tuple[str, ...] = ()
    base: Mapping[str, Any] = _NO_PARAMS


class Lines(Protocol):
    """Where lines come from; those of a script are not typed one by one."""

    @property
    def scripted(self) -> bool:
        """Whether lines wait for the answers to those before them."""
        ...

    async def next_line(self, complete: Completer) -> str | None:
        """The next one, None at the end; whoever types it is offered what `complete` says."""
        ...


def parse_line(line: str, methods: Collection[str]) -> Command | None:
    """What a line asks for, None for a blank one or a `# comment`. Raises InvalidInput."""
    word, _, rest = line.strip().partition(" ")
    if not word or word.startswith("#"):
        return None
    if word == "call":
        word, _, rest = rest.strip().partition(" ")
        if not word:
            raise InvalidInput("call: which method?", hint="Write for example: call subject/schema")
        return _call(word, rest)
    if word in _CALLS:
        return _call(_CALLS[word], rest)
    if word in _WORDS:
        given = _split(rest)
        if len(given) != (word == "cancel"):
            usage = next(usage for usage in _HELP if usage.split()[0] == word)
            raise InvalidInput(f"{word} is given {len(given)} words", hint=f"Write: {usage}")
        return Command(word, pairs=tuple(given))
    # A word with a slash may be a method that nobody here knows; without one it is most likely a slip.
    if "/" not in word and word not in methods:
        near = difflib.get_close_matches(word, [*_WORDS, *methods])
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise InvalidInput(f"{word!r} is neither a method nor a word of mine", hint=f"{meant}help shows what there is.")
    return _call(word, rest)


def completions(before: str, session: PluginSession | None) -> list[str]:
    """The words that can follow what stands `before` on a line."""
    methods = sorted(session.methods) if session is not None else []
    words = before.split()
    if not words or words == ["call"]:
        return [f"{word} " for word in (*methods, *(() if words else _WORDS))]
    method = words[1] if words[0] == "call" else words[0]
    row = row_name(method, session.subject_kinds if session is not None else ())
    return [f"{name}=" for name in params_of(row)]


class Prompt:
    """Reads lines and does what they say, until `quit` or their end."""

    def __init__(self, workbench: Workbench, lines: Lines, show: Callable[[TraceEvent], None]) -> None:
        self._workbench = workbench
        self._lines = lines
        self._show = show
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._leaving = asyncio.Event()

    @property
    def scripted(self) -> bool:
        """Whether its lines come from a script."""
        return self._lines.scripted

    async def run(self) -> None:
        """Return after `quit`, or at the end of the lines: of a script, when all is answered."""
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            while not self._leaving.is_set():
                line = asyncio.create_task(self._lines.next_line(self._completions))
                await asyncio.wait([line, leaving], return_when=asyncio.FIRST_COMPLETED)
                if not line.done() or line.result() is None:
                    line.cancel()
                    break
                await self._begin(line.result() or "")
            if self.scripted and self._under_way:
                await asyncio.wait([*self._under_way])
        finally:
            leaving.cancel()
            for task in self._under_way:
                task.cancel()
            await asyncio.wait([leaving, *self._under_way])

    def _completions(self, before: str) -> list[str]:
        return completions(before, self._workbench.session)

    async def _begin(self, line: str) -> None:
        """Start what a line asks for. Whoever types gets the next prompt when it is done, or after half a second."""
        session = self._workbench.session
        try:
            command = parse_line(line, session.methods if session is not None else ())
        except InvalidInput as error:
            self._refuse(error)
            return
        if command is None:
            return
        task = asyncio.create_task(self._carry_out(command))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if not self.scripted:
            await asyncio.wait([task], timeout=_PATIENCE_S)
        elif len(self._under_way) >= _MOST_UNDER_WAY:
            await asyncio.wait([*self._under_way], return_when=asyncio.FIRST_COMPLETED)

    async def _carry_out(self, command: Command) -> None:
        in_turn = self._turn if self.scripted and command.word != "cancel" else contextlib.nullcontext()
        async with in_turn:
            if self._leaving.is_set():
                return  # what stands behind `quit` in a script
            try:
                await self._do(command)
            except InvalidInput as error:
                self._refuse(error)

    async def _do(self, command: Command) -> None:
        match command.word:
            case "quit":
                self._leaving.set()
            case "restart":
                await self._workbench.restart()
            case "cancel":
                text = command.pairs[0]
                self._workbench.cancel(int(text) if text.isdecimal() else text)
            case "help":
                self._say("help", _help(self._workbench.session))
            case "manifest":
                self._manifest()
            case _:
                await self._call(command)

    async def _call(self, command: Command) -> None:
        session = self._workbench.session
        row = row_name(command.method, session.subject_kinds if session is not None else ())
        params = params_from(row, command.pairs, command.base)
        known = METHODS.get(row)
        if known is not None and known.result is None:
            self._workbench.notify(command.method, params)
        else:
            await self._workbench.call(command.method, params)

    def _manifest(self) -> None:
        session = self._workbench.session
        if session is None:
            raise InvalidInput("the plugin does not run", hint="Fix it: the next edit, or restart, starts it.")
        manifest = session.plugin.manifest.model_dump(mode="json", exclude_none=True)
        self._say("manifest", json.dumps(manifest, ensure_ascii=False, indent=2), {"manifest": manifest})

    def _refuse(self, error: InvalidInput) -> None:
        text = error.message if error.hint is None else f"{error.message}\n{error.hint}"
        self._show(Remark(now(), "refused", text, {"code": error.code}, failed=True))

    def _say(self, event: str, text: str, data: Mapping[str, Any] = _NO_PARAMS) -> None:
        self._show(Remark(now(), event, text, data))


def _call(method: str, rest: str) -> Command:
    rest = rest.strip()
    base: Mapping[str, Any] = _NO_PARAMS
    if rest.startswith("{"):
        try:
            _, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            end = len(rest)  # what is wrong with it is found below
        base, rest = json_object(rest[:end], "the JSON before the pairs"), rest[end:]
    return Command("call", method, tuple(_split(rest)), base)


def _split(text: str) -> list[str]:
    """Words as a shell cuts them. Raises InvalidInput for a quote that is not closed."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r}: {error}", hint="Close the quote, or write \\' for one that is meant.") from error


def _help(session: PluginSession | None) -> str:
    width = max(map(len, _HELP))
    methods = "none: the plugin does not run" if session is None else ", ".join(sorted(session.methods)) or "none"
    return "\n".join([*(f"{usage.ljust(width)}  {what}" for usage, what in _HELP.items()), f"methods: {methods}"])
