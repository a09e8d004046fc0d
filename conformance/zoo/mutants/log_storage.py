"""Mutants of what a log storage says and takes; of what it keeps, finds and tells in the modules beside this one."""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, ExcusedOtherwise, Refusing, Unserved

STORE, QUERY, TAIL = "log_storage/store", "log_storage/query", "log_storage/tail"
SCHEMA = "log_storage/schema"
LEVELS = ("trace", "debug", "info", "warn", "error")


@mutant("log-storage.schema.result-has-its-type", base="log-storage")
class ListsItsFilters(AnsweredOtherwise):
    """Gives supports_filtering as a list of names."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "supports_filtering": [*result["supports_filtering"]]}


@mutant("log-storage.schema.result-has-its-type", base="log-storage")
class KeepsForThirtyDays(AnsweredOtherwise):
    """Gives retention_hint as a text."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "retention_hint": "30d"}


@mutant("log-storage.schema.agrees-with-methods", base="log-storage")
class DeniesItsQueries(AnsweredOtherwise):
    """Advertises log_storage/query and says supports_query false."""

    method = SCHEMA

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "supports_query": False}


@mutant("log-storage.schema.agrees-with-methods", base="log-storage")
class BoastsOfATail(Unserved):
    """Says supports_tail true and has no tail."""

    method = TAIL
    code = -32001


@mutant("log-storage.store.is-advertised", base="log-storage")
class StoresNothing(Unserved):
    """Can be asked and followed, and takes no entries."""

    method = STORE
    code = -32001


@mutant("log-storage.store.result-has-its-type", base="log-storage")
class AnswersWithIds(AnsweredOtherwise):
    """Answers a batch with a list in place of a number."""

    method = STORE

    def changed(self, params: Any, result: Any) -> Any:
        return {"stored": [one["id"] for one in params["entries"]]}


@mutant("log-storage.store.result-has-its-type", base="log-storage")
class AnswersWithNull(AnsweredOtherwise):
    """Answers batches of more than one entry with null."""

    method = STORE

    def changed(self, params: Any, result: Any) -> Any:
        return None if len(params["entries"]) > 1 else result


@mutant("log-storage.store.counts", base="log-storage")
class CountsBatches(AnsweredOtherwise):
    """Says 1 for every batch that is not empty."""

    method = STORE

    def changed(self, params: Any, result: Any) -> Any:
        return {"stored": min(1, result["stored"])}


@mutant("log-storage.store.empty-batch", base="log-storage")
class WantsSomething(Refusing):
    """Refuses an empty batch."""

    method = STORE
    code = -32602
    message = "entries: none"

    def is_refused(self, params: Message) -> bool:
        return params.get("entries") == []


@mutant("log-storage.store.empty-batch", base="log-storage")
class CountsNothingAsOne(AnsweredOtherwise):
    """Says that it stored 1 of an empty batch."""

    method = STORE

    def changed(self, params: Any, result: Any) -> Any:
        return result if params["entries"] else {"stored": 1}


@mutant("log-storage.store.thousand-entries", base="log-storage")
class RefusesBigBatches(Refusing):
    """Refuses batches of more than 500 entries."""

    method = STORE
    code = -32602
    message = "entries: too many"

    def is_refused(self, params: Message) -> bool:
        return isinstance(params.get("entries"), list) and len(params["entries"]) > 500


@mutant("log-storage.store.thousand-entries", base="log-storage")
class CutsBigBatches(AnsweredOtherwise):
    """Keeps the first 512 entries of a batch and says that it kept all."""

    method = STORE

    def asked(self, request: Message) -> Message:
        if request["method"] == STORE and isinstance(_entries(request), list):
            request["params"]["entries"] = request["params"]["entries"][:512]
        return request

    def changed(self, params: Any, result: Any) -> Any:
        return {"stored": len(params["entries"])} if len(params["entries"]) > 512 else result


@mutant("log-storage.store.all-or-none", base="log-storage")
class LeavesBadOnesOut(Mutation):
    """Stores the good entries of a batch with bad ones, and says how many."""

    def asked(self, request: Message) -> Message:
        entries = _entries(request)
        if isinstance(entries, list):
            request["params"]["entries"] = [one for one in entries if not _lacks_message(one)] or entries
        return request


@mutant("log-storage.store.all-or-none", base="log-storage")
class GetsAsFarAsItCan(Mutation):
    """Stores the entries before the first bad one, and refuses the batch."""

    def asked(self, request: Message) -> Message:
        entries = _entries(request)
        if isinstance(entries, list):
            whole = next((number for number, one in enumerate(entries) if _lacks_message(one)), 0)
            request["params"]["entries"] = entries[:whole] or entries
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        entries = _entries(request)
        if "result" in reply and isinstance(entries, list) and any(map(_lacks_message, entries)):
            return self.refusal(request, -32602, "an entry has no message")
        return reply


@mutant("log-storage.store.bad-params", base="log-storage")
class BlamesItself(ExcusedOtherwise):
    """Refuses bad entries as if something were wrong with itself."""

    method = STORE
    code = -32603
    message = "internal error"


@mutant("log-storage.store.bad-params", base="log-storage")
class TakesAnyLevel(Mutation):
    """Stores entries of levels that nobody knows as info."""

    def asked(self, request: Message) -> Message:
        entries = _entries(request)
        for one in entries if isinstance(entries, list) else []:
            if isinstance(one, dict) and isinstance(one.get("level"), str) and one["level"] not in LEVELS:
                one["level"] = "info"
        return request


@mutant("log-storage.store.bad-params", base="log-storage")
class TakesAnyTime(Mutation):
    """Stores entries with a time that is none as if they had happened at a time of its own."""

    def asked(self, request: Message) -> Message:
        entries = _entries(request)
        for one in entries if isinstance(entries, list) else []:
            if isinstance(one, dict) and isinstance(one.get("ts"), str) and not one["ts"][:4].isdigit():
                one["ts"] = "2026-01-01T00:00:00Z"
        return request


def _entries(request: Message) -> Any:
    params = request["params"]
    return params.get("entries") if request["method"] == STORE and isinstance(params, dict) else None


def _lacks_message(entry: Any) -> bool:
    return isinstance(entry, dict) and "message" not in entry
