"""Mutants of a log storage's queries: their order, their pages, their filters."""

from __future__ import annotations

import re

from mutation import Any, Message, Mutation, Sent, mutant
from one_method import AnsweredOtherwise, AskedOtherwise, ExcusedOtherwise

from mutants.log_storage import LEVELS, QUERY, STORE


class Queried(AskedOtherwise):
    """Changes good queries on their way to the plugin."""

    method = QUERY


class Found(AnsweredOtherwise):
    """Changes what a query finds."""

    method = QUERY


@mutant("log-storage.query.result-has-its-type", base="log-storage")
class ShoutsLevels(Found):
    """Gives levels back in capitals."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "entries": [{**one, "level": one["level"].upper()} for one in result["entries"]]}


@mutant("log-storage.query.result-has-its-type", base="log-storage")
class CountsPages(Found):
    """Gives next_cursor as a number."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "next_cursor": int(result["next_cursor"])} if "next_cursor" in result else result


@mutant("log-storage.query.result-has-its-type", base="log-storage")
class NamesItsListItems(Found):
    """Gives the entries under another name when there is a glob."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"items": result["entries"]} if "*" in (params.get("target_glob") or "") else result


@mutant("log-storage.query.oldest-first", base="log-storage")
class NewestFirst(Found):
    """Gives the newest entries first."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "entries": result["entries"][::-1]}


@mutant("log-storage.query.limit", base="log-storage")
class KnowsNoLimit(Queried):
    """Gives everything, whatever the limit."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("limit"), int) and query["limit"] > 0:
            del query["limit"]


@mutant("log-storage.query.limit", base="log-storage")
class GivesOneMore(Queried):
    """Gives one entry more than it should."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("limit"), int) and query["limit"] > 0:
            query["limit"] += 1


@mutant("log-storage.query.bad-params", base="log-storage")
class ReadsManyAsAll(Queried):
    """Takes a limit that is a text for no limit."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("limit"), str):
            del query["limit"]


@mutant("log-storage.query.bad-params", base="log-storage")
class TakesUnknownLevelsForAll(Queried):
    """Takes a min_level that nobody knows for none."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("min_level"), str) and query["min_level"] not in LEVELS:
            del query["min_level"]


@mutant("log-storage.query.bad-params", base="log-storage")
class HasACodeOfItsOwn(ExcusedOtherwise):
    """Refuses bad queries with a code of its own."""

    method = QUERY
    code = 400
    message = "bad request"


@mutant("log-storage.query.pages-join", base="log-storage")
class SkipsOne(Found):
    """Leaves out the first entry of every page but the first."""

    def changed(self, params: Any, result: Any) -> Any:
        return {**result, "entries": result["entries"][1:]} if "cursor" in params else result


@mutant("log-storage.query.pages-join", base="log-storage")
class RepeatsOne(Found):
    """Begins every page with the last entry of the one before."""

    last: Any = None

    def changed(self, params: Any, result: Any) -> Any:
        first = [self.last] if "cursor" in params and self.last else []
        self.last = result["entries"][-1] if result["entries"] else None
        return {**result, "entries": [*first, *result["entries"]]}


@mutant("log-storage.query.pages-join", base="log-storage")
class HasOnePageOnly(Found):
    """Gives no next_cursor, though there is more."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"entries": result["entries"]}


@mutant("log-storage.query.pages-join", base="log-storage")
class NeverEnds(Found):
    """Gives a next_cursor with the last page, too."""

    def changed(self, params: Any, result: Any) -> Any:
        return {"next_cursor": "1000000000", **result}


class CountsFromTheEnd(Queried):
    """Goes on at another place when entries were stored since the page before."""

    places: int
    stored = False

    def change(self, query: Any) -> None:
        cursor = query.get("cursor")
        if self.stored and isinstance(cursor, str) and re.fullmatch("[0-9]{1,9}", cursor):
            query["cursor"] = str(max(0, int(cursor) + self.places))
        self.stored = False

    def answers(self, request: Message, reply: Message) -> Sent:
        self.stored = self.stored or request["method"] == STORE
        return reply


@mutant("log-storage.query.pages-join-while-storing", base="log-storage")
class GoesBack(CountsFromTheEnd):
    """Repeats two entries when some were stored since the page before."""

    places = -2


@mutant("log-storage.query.pages-join-while-storing", base="log-storage")
class GoesTooFar(CountsFromTheEnd):
    """Leaves out two entries when some were stored since the page before."""

    places = 2


@mutant("log-storage.query.unknown-cursor", base="log-storage")
class StumblesOverACursor(Mutation):
    """Finds nothing any more after a cursor that it did not give out."""

    stumbled = False

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] != QUERY:
            return reply
        params = request["params"]
        if isinstance(params, dict) and isinstance(params.get("cursor"), str) and "error" in reply:
            self.stumbled = True
        return self.refusal(request, -32603, "no database") if self.stumbled and "result" in reply else reply


@mutant("log-storage.query.unknown-cursor", base="log-storage")
class SearchesForACursor(Mutation):
    """Does not answer a query with a cursor that looks like one of another storage."""

    def asked(self, request: Message) -> Message | None:
        cursor = request["params"].get("cursor") if isinstance(request["params"], dict) else None
        foreign = isinstance(cursor, str) and re.fullmatch("[a-z]+(-[a-z]+)+", cursor)
        return None if request["method"] == QUERY and foreign else request


@mutant("log-storage.query.by-level", base="log-storage")
class FindsAllLevels(Queried):
    """Finds entries of every level."""

    def change(self, query: Any) -> None:
        if query.get("min_level") in LEVELS:
            del query["min_level"]


@mutant("log-storage.query.by-level", base="log-storage")
class FindsGraverLevels(Queried):
    """Leaves out the entries of min_level itself."""

    def change(self, query: Any) -> None:
        if query.get("min_level") in LEVELS[:-1]:
            query["min_level"] = LEVELS[LEVELS.index(query["min_level"]) + 1]


@mutant("log-storage.query.by-level", base="log-storage")
class FindsOneLevel(Found):
    """Finds the entries of min_level alone."""

    def changed(self, params: Any, result: Any) -> Any:
        level = params.get("min_level")
        return {**result, "entries": [one for one in result["entries"] if level in (None, one["level"])]}


@mutant("log-storage.query.by-source", base="log-storage")
class FindsAllSources(Queried):
    """Finds entries of every source."""

    def change(self, query: Any) -> None:
        if query.get("source") in ("daemon", "plugin", "cli", "workflow"):
            del query["source"]


@mutant("log-storage.query.by-source", base="log-storage")
class FindsAllNames(Queried):
    """Finds entries of every source_name."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("source_name"), str):
            del query["source_name"]


@mutant("log-storage.query.by-source", base="log-storage")
class FindsTheNameless(Found):
    """Leaves out entries without source_name when it is asked for a source."""

    def changed(self, params: Any, result: Any) -> Any:
        named = [one for one in result["entries"] if one.get("source_name")]
        return {**result, "entries": named} if params.get("source") else result


@mutant("log-storage.query.by-target", base="log-storage")
class FindsWhatBeginsLikeIt(Queried):
    """Finds targets that begin with the one that it is asked for."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("target_glob"), str) and "*" not in query["target_glob"]:
            query["target_glob"] += "*"


@mutant("log-storage.query.by-glob", base="log-storage")
class KnowsStarsAtTheEnd(Queried):
    """Takes a star for a star, unless it is the last letter."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("target_glob"), str) and "*" in query["target_glob"][:-1]:
            query["target_glob"] = query["target_glob"].replace("*", "\N{ASTERISK OPERATOR}")


@mutant("log-storage.query.by-glob", base="log-storage")
class TakesAStopForAnyLetter(Queried):
    """Takes a pattern for a regular expression, in which a full stop fits any letter."""

    def change(self, query: Any) -> None:
        if isinstance(query.get("target_glob"), str) and "*" in query["target_glob"]:
            query["target_glob"] = query["target_glob"].replace(".", "*")


@mutant("log-storage.query.by-time-range", base="log-storage")
class FindsEverythingSince(Queried):
    """Does not look at until."""

    def change(self, query: Any) -> None:
        if _is_time(query.get("until")):
            del query["until"]


@mutant("log-storage.query.by-time-range", base="log-storage")
class FindsEverythingUntil(Queried):
    """Does not look at since."""

    def change(self, query: Any) -> None:
        if _is_time(query.get("since")):
            del query["since"]


@mutant("log-storage.query.by-time-range", base="log-storage")
class ComparesTexts(Queried):
    """Compares times without looking at their offsets."""

    def change(self, query: Any) -> None:
        for name in ("since", "until"):
            if _is_time(query.get(name)):
                query[name] = re.sub(r"[+-][0-9]{2}:[0-9]{2}$", "Z", query[name])


@mutant("log-storage.query.filters-combine", base="log-storage")
class AppliesOneFilter(Queried):
    """Looks at the level alone when it is asked for a source, too."""

    def change(self, query: Any) -> None:
        if query.get("min_level") in LEVELS and isinstance(query.get("source"), str):
            del query["source"]


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value[:4].isdigit()
