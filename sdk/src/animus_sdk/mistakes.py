"""What authors get wrong in a class before anything runs, each mistake as a sentence that says what to write.

`serve` prints the sentences. Nothing here imports or calls author's code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Final, TypeGuard

from animus_sdk.functions import is_inline

__all__ = [
    "is_text",
    "missing",
    "not_a_tuple",
    "wrong_buffer_size",
    "wrong_description",
    "wrong_forms",
    "wrong_kinds",
    "wrong_threads",
]

MOST_DESCRIPTION: Final = 64 * 1024
"""Far more than anybody reads, and far below a frame."""
_HALVES: Final = re.compile("[\ud800-\udfff]")


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
        case tuple() if kinds and all(is_text(kind) and kind for kind in kinds):
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


def wrong_description(cls: type) -> list[str]:
    """A `description` that is no text, or does not fit into a frame with all the rest."""
    value = getattr(cls, "description", None)
    if not is_text(value):
        return [f'{cls.__name__}.description is {value!r}: write description = "…" in the class']
    if len(value) > MOST_DESCRIPTION:
        return [f"{cls.__name__}.description has {len(value)} characters: write {MOST_DESCRIPTION} at most"]
    return []


def wrong_buffer_size(cls: type) -> list[str]:
    """A `notification_buffer_size` that no host can read (protocol §2: an unsigned number of 64 bits)."""
    value = getattr(cls, "notification_buffer_size", None)
    if value is None or (type(value) is int and value in range(2**64)):
        return []
    return [f"{cls.__name__}.notification_buffer_size is {value!r}: write a number from 0 on, or leave it out"]


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a text that can go to a host: half of a surrogate pair has no bytes."""
    return isinstance(value, str) and not _HALVES.search(value)


def _text(cls: type, word: str) -> bool:
    value = getattr(cls, word, None)
    return is_text(value) and value != ""
