"""What a subject backend gives, held to its types and to the kinds that it claims.

A subject of a foreign kind would be looked for at another backend by the next call, so it is refused where it comes
from. Below it lie the checks of all results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from animus_protocol.models.subject import Subject, SubjectChangedEvent, SubjectFilter, SubjectList
from animus_sdk.results import Check, FieldCheck, Mismatch, place_of, returns, wrong_result
from animus_sdk.subject_pages import page_of

__all__ = ["SubjectResults"]

_SUBJECTS: Final = "subjects (a list, a tuple or a generator of Subject) or a SubjectList"


class SubjectResults:
    """The checks for the verbs of one backend class, which claims `kinds`; `issue.*` claims all that begins so."""

    def __init__(self, backend: type, kinds: Sequence[str]) -> None:
        self._backend = backend
        self._kinds = kinds
        self._names = frozenset(kinds)
        self._prefixes = tuple(kind[:-1] for kind in kinds if kind.endswith("*"))
        self._check_fields = FieldCheck(Subject)

    def subject(self, verb: str, *, optional: bool = False) -> Check:
        """For a verb that gives one subject; with `optional`, or None."""
        return self._subject(place_of(self._backend, verb), "a Subject or None" if optional else "a Subject", optional)

    def page(self, verb: str) -> Callable[[Any, SubjectFilter], SubjectList]:
        """For `list`: makes the page that is asked for out of whatever it gives."""
        place = place_of(self._backend, verb)
        item, page = self._subject(place, "a Subject as each item"), returns(place, SubjectList)

        def page_out_of(value: Any, wanted: SubjectFilter) -> SubjectList:
            if isinstance(value, SubjectList):
                page(value)
                for subject in value.subjects:
                    item(subject)
                return value
            # A model and a dict are iterable, too, and would be taken apart.
            if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping, BaseModel)):
                raise wrong_result(place, value, _SUBJECTS)
            return page_of(map(item, value), wanted)

        return page_out_of

    def change(self, verb: str) -> Check:
        """For each item of `watch`."""
        place = place_of(self._backend, verb)
        event, subject = returns(place, SubjectChangedEvent), self._subject(place, "a Subject in the event")

        def check(value: Any) -> Any:
            subject(event(value).subject)
            return value

        return check

    def _subject(self, place: str, expected: str, optional: bool = False) -> Check:
        names, check_fields = self._names, self._check_fields

        def check(value: Any) -> Any:
            if not isinstance(value, Subject):
                if optional and value is None:
                    return None
                raise wrong_result(place, value, expected)
            try:
                check_fields(value)
            except Mismatch as mismatch:
                raise wrong_result(place, value, expected, mismatch) from None
            if value.kind not in names and not value.kind.startswith(self._prefixes):
                claimed = ", ".join(map(repr, self._kinds))
                raise wrong_result(place, value, f"a subject of the claimed kinds ({claimed}), and not {value.kind!r}")
            return value

        return check
