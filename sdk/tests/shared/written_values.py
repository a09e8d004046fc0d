"""Documents that a program writes as bytes tell it to: hypothesis makes and shrinks the bytes, once a document.

A strategy of strategies costs hypothesis a tenth of a millisecond for each of its parts, which is most of what a test
with JSON takes. `written(write)` draws all bytes at once; `write` asks a `Writer` for its choices one after the other,
and gets the first choice where the bytes are at an end or zero, so that what is shrunk is small and plain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

__all__ = ["NUMBERS", "Writer", "hold_for_any_bytes", "json_values", "written"]

T = TypeVar("T")
NUMBERS: Final = (0, 1, -1, 7, 255, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**64), 10**30)
FRACTIONS: Final = (0.5, -0.0, 0.1, 1e-9, 5e-324, -1.5e308, 1e16, 123456.789)
LETTERS: Final = "abcxyz 019AZ_-"
SIGNS: Final = (
    "\"\\/{}[]():,;.'`~!?#%&*@|<>=+$^\n\r\t\0\b\x1b\x7f\x85\xa0"
    "\xe9e\u0308ßΩжא漢\u200b\u2028\u2029\ud7ff\ue000\ufeff\ufffd\uffff😀\U0010ffff"
)


class Writer:
    """Makes its choices by the bytes that it was given."""

    def __init__(self, raw: bytes) -> None:
        self._left = iter(raw)

    def below(self, bound: int) -> int:
        """A number from 0 to below `bound`."""
        found = next(self._left, 0)
        return (found if bound <= 256 else found << 16 | next(self._left, 0) << 8 | next(self._left, 0)) % bound

    def pick(self, choices: Sequence[T]) -> T:
        """One of them; the first is the plainest."""
        return choices[self.below(len(choices))]

    def flag(self) -> bool:
        """True or false."""
        return self.pick((False, True))

    def many(self, write: Callable[[], T], most: int, least: int = 0) -> list[T]:
        """So many of what `write` writes."""
        return [write() for _ in range(least + self.below(most - least + 1))]

    def text(self, most: int = 8) -> str:
        """A text of at most so many characters: letters, what has a meaning somewhere, and any others."""
        return "".join(self.many(self._character, most))

    def _character(self) -> str:
        match self.pick("llss?"):
            case "l":
                return self.pick(LETTERS)
            case "s":
                return self.pick(SIGNS)
        code = self.below(0x110000 - 0x800)
        return chr(code if code < 0xD800 else code + 0x800)

    def integer(self, least: int = -(2**70), most: int = 2**70) -> int:
        """A number between these, often a known one or one at an end."""
        if self.flag():
            return least + (self.below(1 << 24) << 46 | self.below(1 << 23) << 23 | self.below(1 << 23)) % (
                most - least + 1
            )
        found = self.pick((*NUMBERS, least, most))
        return found if least <= found <= most else least

    def fraction(self) -> float:
        """A finite number."""
        return self.pick(FRACTIONS) if self.flag() else self.integer(-(10**15), 10**15) / 7

    def value(self, deep: int = 3) -> Any:
        """Any JSON value; lists and mappings have at most three items and so many levels."""
        match self.pick("nbifttlm" if deep else "nbiftt"):
            case "n":
                return None
            case "b":
                return self.flag()
            case "i":
                return self.integer()
            case "f":
                return self.fraction()
            case "t":
                return self.text()
            case "l":
                return self.many(lambda: self.value(deep - 1), 3)
        return self.mapping(deep)

    def mapping(self, deep: int = 3) -> dict[str, Any]:
        """Any JSON object."""
        return dict(self.many(lambda: (self.text(), self.value(deep - 1)), 3))


def written(
    write: Callable[[Any], T], size: int = 100, *, by: Callable[[bytes], Writer] = Writer
) -> st.SearchStrategy[T]:
    """What `write` writes; about so many choices are made by the bytes, and all others are the plainest."""
    return st.binary(min_size=size, max_size=size).map(lambda raw: write(by(raw)))


def json_values(size: int = 60) -> st.SearchStrategy[Any]:
    """Any JSON value."""
    return written(Writer.value, size)


def hold_for_any_bytes(check: Callable[[bytes], None], *, times: int, size: int) -> None:
    """What hypothesis does, for hundreds of small properties: to start it takes longer than a dozen of examples.

    The bytes of a failure are made few and plain; the error has a note that names them.
    """
    for _ in range(times):
        raw = os.urandom(size)
        if _fails(check, raw):
            raw = next(raw[:kept] for kept in range(size + 1) if _fails(check, raw[:kept]))
            for place in range(len(raw)):
                plainer = raw[:place] + b"\0" + raw[place + 1 :]
                raw = plainer if _fails(check, plainer) else raw
            try:
                check(raw)
            except Exception as error:
                error.add_note(f"for the bytes {raw!r}")
                raise
            raise AssertionError(f"it fails now and then for the bytes {raw!r}")


def _fails(check: Callable[[bytes], None], raw: bytes) -> bool:
    try:
        check(raw)
    except Exception:  # noqa: BLE001  # whatever it is, it is shown in the end
        return True
    return False
