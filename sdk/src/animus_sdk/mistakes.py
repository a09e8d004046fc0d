"""What authors get wrong in a class before anything runs, each mistake as a sentence that says what to write.

`serve` prints the sentences. Nothing here imports or calls author's code.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from animus_sdk.functions import is_inline

__all__ = ["missing", "not_a_tuple", "wrong_forms", "wrong_kinds", "wrong_threads"]


def missing(cls: type, *words: str) -> list[str]:
    """Those of `words` that the class does not set to a text."""
    return [f'{cls.__name__} has no {word}: write {word} = "…" in the class' for word in words if not _text(cls, word)]


def wrong_threads(cls: type) -> list[str]:
    """`threads` that are no positive number."""
    threads = getattr(cls, "threads", None)
    if isinstance(threads, int) and threads > 0:
        return []
    return [f"{cls.__name__}.threads is {threads!r}: write a number from 1 on"]


def not_a_tuple(cls: type, word: str, kind: type, example: str) -> list[str]:
    """A class variable that has to be a tuple of `kind` and is not; a forgotten comma is the usual reason."""
    value = getattr(cls, word, None)
    if isinstance(value, (tuple, list)) and all(isinstance(one, kind) for one in value):
        return []
    return [f"{cls.__name__}.{word} is no tuple of {kind.__name__}: write {word} = ({example},)"]


def wrong_kinds(cls: type, word: str, example: str) -> list[str]:
    """Kinds that are missing or no tuple of texts."""
    kinds = getattr(cls, word, None)
    advice = f'write {word} = ("{kinds if isinstance(kinds, str) and kinds else example}",) in the class'
    match kinds:
        case str():
            return [f"{cls.__name__}.{word} is one text and has to be a tuple: {advice}"]
        case tuple() if kinds and all(isinstance(kind, str) and kind for kind in kinds):
            return []
        case None | ():
            return [f"{cls.__name__} has no {word}: {advice}"]
        case _:
            return [f"{cls.__name__}.{word} is no tuple of texts: {advice}"]


def wrong_forms(cls: type, *, answering: Sequence[str] = (), streaming: Sequence[str] = ()) -> list[str]:
    """Methods that yield though they have to return an answer, and the other way round."""
    mistakes = []
    for word in answering:
        function = getattr(cls, word)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            mistakes.append(f"{cls.__name__}.{word} yields: write return, its answer is one value")
    for word in streaming:
        function = getattr(cls, word)
        if inspect.iscoroutinefunction(function):
            mistakes.append(f"{cls.__name__}.{word} is async and yields nothing: write a generator, with yield")
        elif is_inline(function):
            mistakes.append(f"{cls.__name__}.{word} is a stream: take @inline off")
    return mistakes


def _text(cls: type, word: str) -> bool:
    value = getattr(cls, word, None)
    return isinstance(value, str) and value != ""
