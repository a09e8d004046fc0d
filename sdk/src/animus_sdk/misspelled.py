"""Methods that an author meant for the host and that no host will ever call: misspelled, or with other parameters.

Nothing here calls author's code or evaluates its hints.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, Final

__all__ = ["misspelled", "wrong_parameters"]

# `statuss` and `status` have 0.92 in common, `craete` and `create` 0.83, `status_of` and `status` 0.80: below this
# value lie names that somebody has chosen.
_CLOSE: Final = 0.82
# Two letters in the wrong order cost a short word more: `opne` and `open` have 0.75 in common.
_CLOSE_WITH_THE_SAME_LETTERS: Final = 0.7
_ANSWER: Final = re.compile(r"(?:Answer|Stream)\[(.*)\]")
_MODULE: Final = re.compile(r"\b(?:wire|lifecycle)\.")


def misspelled(
    cls: type, role: type, words: Sequence[str], *, also: Mapping[str, str], marked: Sequence[str]
) -> list[str]:
    """Public methods of the author's that look like one of `words`, which the class does not bring itself.

    `also` are names that other systems have for one of `words`. A helper is told apart by what it is: it is used
    somewhere in the class, it is among `marked` (the methods and tools of the author's own), or its name begins with an
    underscore, which is also the way out where this guess is wrong.
    """
    missing = [word for word in words if getattr(cls, word) is getattr(role, word)]
    owned = [base for base in cls.__mro__ if issubclass(base, role) and base not in role.__mro__]
    used = {name for base in owned for value in vars(base).values() for name in _names_in(value)}
    mistakes = []
    for name, value in {name: value for base in reversed(owned) for name, value in vars(base).items()}.items():
        if not isinstance(value, FunctionType) or name.startswith("_") or hasattr(role, name):
            continue
        meant = also.get(name) or _closest(name, missing)
        if meant in missing and name not in used and name not in marked:
            mistakes.append(
                f"{cls.__name__}.{name} is called by no host: did you mean {meant!r}? If not, write _{name}, "
                "which is nobody's but yours"
            )
    return mistakes


def wrong_parameters(cls: type, role: type, words: Sequence[str]) -> list[str]:
    """Those of `words` that the class overrides in a way in which no host can call them."""
    return [
        f"{cls.__name__}.{word} {fault}: write {_signature(getattr(role, word))}"
        for word in words
        if getattr(cls, word) is not getattr(role, word)
        and (fault := _fault(cls, word, getattr(role, word))) is not None
    ]


def _closest(name: str, words: Sequence[str]) -> str | None:
    from difflib import get_close_matches  # for classes with a function that no host calls

    same_letters = [word for word in words if sorted(word) == sorted(name)]
    close = get_close_matches(name, words, 1, _CLOSE) or get_close_matches(
        name, same_letters, 1, _CLOSE_WITH_THE_SAME_LETTERS
    )
    return close[0] if close else None


def _fault(cls: type, word: str, promised: Any) -> str | None:
    """What keeps `word` from being called with the arguments of `promised`, by position, as the roles do."""
    function = getattr(cls, word)
    if not callable(function):
        return f"is {function!r:.40} and no method"
    try:
        parameters = inspect.signature(function)
    except (TypeError, ValueError):
        return None  # written in C, or so: only the call can tell
    given = [*inspect.signature(promised).parameters][1:]
    takes_self = isinstance(inspect.getattr_static(cls, word), FunctionType)
    try:
        bound = parameters.bind(*((None,) if takes_self else ()), *given)
    except TypeError:
        return f"takes {parameters}, and a host gives ({', '.join(given)})"
    crossed = [name for name, value in bound.arguments.items() if name in given and value in given and name != value]
    return f"takes {', '.join(crossed)} in another order" if crossed else None


def _signature(promised: Any) -> str:
    """The signature as an author writes it: without the module of the models, and with the plain answer."""
    text = _MODULE.sub("", str(inspect.signature(promised))).replace("'", "")
    return f"def {promised.__name__}{_ANSWER.sub(lambda found: found[1], text)}"


def _names_in(value: object) -> Iterator[str]:
    """All names that a function uses, those of functions inside it included."""
    function = inspect.unwrap(value) if callable(value) else getattr(value, "fget", getattr(value, "__func__", None))
    code = [getattr(function, "__code__", None)]
    while code:
        here = code.pop()
        if isinstance(here, CodeType):
            yield from here.co_names
            code.extend(here.co_consts)
