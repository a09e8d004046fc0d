"""Mutants of what a log storage has kept. The plugin behind keeps its entries in `log.jsonl` in the project."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise

from mutants.log_storage import QUERY, STORE

LOG = Path("log.jsonl")
AGAIN = "#again"


class GivesBack(AnsweredOtherwise):
    """Changes entries on their way back."""

    method = QUERY

    def changed(self, params: Any, result: Any) -> Any:
        for entry in result["entries"]:
            self.change(entry)
        return result

    def change(self, entry: Any) -> None:
        """Change an entry in its place."""
        raise NotImplementedError


class KeepsTwice(GivesBack):
    """Keeps entries again under another id, which does not show when they are given back."""

    def asked(self, request: Message) -> Message:
        entries = request["params"].get("entries") if isinstance(request["params"], dict) else None
        if request["method"] == STORE and isinstance(entries, list):
            seen: set[str] = set()
            for one in entries:
                if isinstance(one, dict) and isinstance(one.get("id"), str):
                    name = one["id"]
                    if self.is_new(name, seen):
                        one["id"] = name + AGAIN
                    seen.add(name)
        return request

    def is_new(self, name: str, seen: set[str]) -> bool:
        """Whether an id that the plugin behind may know is taken for a new one; `seen` are those of this batch."""
        raise NotImplementedError

    def change(self, entry: Any) -> None:
        entry["id"] = entry["id"].removesuffix(AGAIN)


@mutant("log-storage.store.is-found", base="log-storage")
class LagsBehind(Mutation):
    """Finds the entries of a batch only when the next one has come."""

    newest: frozenset[str] = frozenset()

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == STORE and "result" in reply:
            self.newest = frozenset(one["id"] for one in request["params"]["entries"])
        if request["method"] == QUERY and "result" in reply:
            entries = reply["result"]["entries"]
            reply["result"]["entries"] = [one for one in entries if one["id"] not in self.newest]
        return reply


@mutant("log-storage.store.is-unchanged", base="log-storage")
class ForgetsFields(GivesBack):
    """Gives entries back without their fields."""

    def change(self, entry: Any) -> None:
        entry.pop("fields", None)


@mutant("log-storage.store.is-unchanged", base="log-storage")
class ForgetsWho(GivesBack):
    """Gives entries back without source_name."""

    def change(self, entry: Any) -> None:
        entry.pop("source_name", None)


@mutant("log-storage.store.is-unchanged", base="log-storage")
class RoundsTimes(GivesBack):
    """Gives times back in whole seconds."""

    def change(self, entry: Any) -> None:
        seconds, dot, rest = entry["ts"].partition(".")
        entry["ts"] = seconds + rest.lstrip("0123456789") if dot else seconds


@mutant("log-storage.store.is-unchanged", base="log-storage")
class TakesEveryTimeForUtc(GivesBack):
    """Gives times back without their offset."""

    def change(self, entry: Any) -> None:
        entry["ts"] = entry["ts"][:19] + entry["ts"][19:].split("+")[0].split("-")[0].rstrip("Zz") + "Z"


@mutant("log-storage.store.is-unchanged", base="log-storage")
class KnowsLatinLettersOnly(GivesBack):
    """Gives messages back with question marks for other letters."""

    def change(self, entry: Any) -> None:
        entry["message"] = entry["message"].encode("latin-1", errors="replace").decode("latin-1")


@mutant("log-storage.store.is-unchanged", base="log-storage")
class KeepsOneLine(GivesBack):
    """Gives messages back up to the first line break."""

    def change(self, entry: Any) -> None:
        entry["message"] = entry["message"].split("\n")[0]


@mutant("log-storage.store.is-unchanged", base="log-storage")
class FlattensFields(GivesBack):
    """Gives nested fields back as texts."""

    def change(self, entry: Any) -> None:
        fields = entry.get("fields")
        if isinstance(fields, dict):
            entry["fields"] = {
                name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in fields.items()
            }


@mutant("log-storage.store.dedups", base="log-storage")
class ForgetsEarlierBatches(KeepsTwice):
    """Stores an entry again that came in an earlier batch."""

    def __init__(self) -> None:
        self.earlier: set[str] = set()

    def is_new(self, name: str, seen: set[str]) -> bool:
        known = name in self.earlier
        self.earlier.add(name)
        return known and name not in seen


@mutant("log-storage.store.dedups", base="log-storage")
class ComparesEarlierBatchesOnly(KeepsTwice):
    """Stores an entry twice that comes twice in one batch."""

    def is_new(self, name: str, seen: set[str]) -> bool:
        return name in seen


@mutant("log-storage.store.dedups-after-a-restart", base="log-storage")
class ForgetsIdsWhenItEnds(KeepsTwice):
    """Stores an entry again that came before it was started anew."""

    def at_start(self) -> None:
        lines = LOG.read_bytes().splitlines() if LOG.exists() else []
        self.before = {json.loads(line)["id"] for line in lines}

    def is_new(self, name: str, seen: set[str]) -> bool:
        return name in self.before and name not in seen


@mutant("log-storage.store.survives-a-restart", base="log-storage")
class LosesTheLastEntry(Mutation):
    """Leaves without writing its last entry."""

    def at_exit(self, code: int) -> int:
        if LOG.exists():
            lines = LOG.read_bytes().splitlines(keepends=True)
            LOG.write_bytes(b"".join(lines[:-1]))
        return code


@mutant("log-storage.store.survives-a-restart", base="log-storage")
class BeginsAnew(Mutation):
    """Keeps its entries as long as it lives, unless it is killed."""

    def at_exit(self, code: int) -> int:
        LOG.unlink(missing_ok=True)
        return code


@mutant("log-storage.store.survives-a-kill", base="log-storage")
class WritesBehind(Mutation):
    """Writes what it has acknowledged when it is asked for the next thing, or when it leaves."""

    unwritten = b""

    def asked(self, request: Message) -> Message:
        self.write()
        return request

    def notified(self, notification: Message) -> Message:
        self.write()
        return notification

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == STORE and LOG.exists():
            with LOG.open("rb+") as log:
                log.seek(self.size)
                self.unwritten += log.read()
                log.truncate(self.size)
        return reply

    def at_start(self) -> None:
        self.size = LOG.stat().st_size if LOG.exists() else 0

    def write(self) -> None:
        if self.unwritten:
            with LOG.open("ab") as log:
                log.write(self.unwritten)
            self.unwritten = b""
        self.size = os.path.getsize(LOG) if LOG.exists() else 0
