"""Checks of the pages of a subject backend's list (protocol §4)."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import Backend, Backends
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS

_SIZES: Final = (1, 2, 3)
_MOST_PAGES: Final = 40
"""The store may be somebody's own, and large: what has not come twice by then is no reason to read all of it."""
_CURSOR_REFUSALS: Final = (-32602, *REFUSALS)


@check("subject.list.pages-join")
async def pages_join(backends: Backends) -> None:
    """Turns pages of 1, 2 and 3 subjects to the end, also with a filter, and compares with the whole list."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        await _require_pages(backend, len(everything))
        for size in _SIZES:
            await _compare(backend, {"limit": size}, [subject["id"] for subject in everything])
        (status, _), *_ = Counter(subject["status"] for subject in everything).most_common()
        wanted = {"status": [status]}
        ids = [subject["id"] for subject in await backend.everything(**wanted)]
        await _compare(backend, {"limit": 1, **wanted}, ids)


@check("subject.list.pages-hold", method="subject/create")
async def pages_hold(backends: Backends) -> None:
    """Makes two subjects, one of them urgent, after each of two pages, and looks for those that were there before."""
    backend = await backends.shared()
    async with contextlib.AsyncExitStack() as stack:
        everything = await stack.enter_async_context(backend.populated())
        await _require_pages(backend, len(everything))
        try:
            await _compare(backend, {"limit": 1}, [subject["id"] for subject in everything])
        except Failed as failed:
            raise Unproven(f"without a change in between: {failed}") from None
        wanted: dict[str, Any] = {"limit": 1}
        seen: Counter[str] = Counter()
        for number in range(_MOST_PAGES):
            page = await backend.given("list", **wanted)
            seen.update(subject["id"] for subject in page["subjects"])
            if not page.get("next_cursor"):
                break
            wanted["cursor"] = page["next_cursor"]
            if number < 2:
                await stack.enter_async_context(backend.made(title="Came in between, and first", priority=0))
                await stack.enter_async_context(backend.made(title="Came in between"))
        else:
            return  # a big store: no repeat so far
    for subject in everything:
        if seen[subject["id"]] != 1:
            raise Failed(f"{subject['id']}, which was there all the time, came {seen[subject['id']]} times")


@check("subject.list.foreign-cursor")
async def foreign_cursor(backends: Backends) -> None:
    """Sends cursors that nobody gave out, and then lists without one."""
    backend = await backends.shared()
    for cursor in ("nobody-gave-this-out", "-1", "0", "bm8gY3Vyc29y", "Ünsinn 🙃"):
        reply = await backend.ask("list", limit=1, cursor=cursor)
        if reply.error is not None and reply.code not in _CURSOR_REFUSALS:
            raise Failed(f"{backend.method('list')} with the cursor {cursor!r} got {reply}")
    reply = await backend.ask("list", limit=1)
    if reply.error is not None:
        raise Failed(f"after cursors that nobody gave out, {backend.method('list')} got {reply}")


async def _require_pages(backend: Backend, count: int) -> None:
    """Raises NotAdvertised when a list that is cut short has no next_cursor."""
    if count < 2:
        raise Unproven("there is one subject, which makes no pages; a `project` or `setup` can bring more")
    page = await backend.given("list", limit=1)
    if not page.get("next_cursor"):
        raise NotAdvertised(
            f"{backend.method('list')} with limit 1 gives no next_cursor, and {count} subjects are there"
        )


async def _compare(backend: Backend, wanted: Mapping[str, Any], expected: list[str]) -> None:
    """Raises Failed unless the pages together have each expected subject once, and no other."""
    found: Counter[str] = Counter()
    params = dict(wanted)
    for _ in range(_MOST_PAGES):
        page = await backend.given("list", **params)
        found.update(subject["id"] for subject in page["subjects"])
        twice = [subject_id for subject_id, times in found.items() if times > 1]
        surplus = [subject_id for subject_id in found if subject_id not in expected]
        if twice or surplus:
            raise Failed(f"pages of {backend.method('list')} {wanted}: {twice} come twice, {surplus} should not come")
        if not page.get("next_cursor"):
            break
        params["cursor"] = page["next_cursor"]
    else:
        if len(expected) <= _MOST_PAGES:
            raise Failed(f"pages of {backend.method('list')} {wanted} have no end")
        return
    lacking = [subject for subject in expected if subject not in found]
    if lacking:
        raise Failed(f"pages of {backend.method('list')} {wanted} end without {lacking[:5]}")
