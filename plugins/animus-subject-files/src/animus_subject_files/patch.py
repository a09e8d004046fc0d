"""The changes that the protocol knows, as changes of a task file's bytes, and the text of a new file.

Below it lie `edit.py` and `comments.py`. A change is a pure function of the bytes, so that it can be applied anew to
what somebody else saved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from animus_sdk import InvalidParams, PriorityName, SubjectCreateParams, SubjectPatch, SubjectStatus, utc_text
from animus_subject_files import edit
from animus_subject_files.comments import append_comment
from animus_subject_files.front_matter import Document, decode, parse
from animus_subject_files.rendering import render
from animus_subject_files.task import KIND, KNOWN_KEYS

__all__ = ["MAX_FILE_BYTES", "Change", "new_file", "patching"]

MAX_FILE_BYTES: Final = 1024 * 1024
_MAX_TEXT_CHARS: Final = 1_000

Change = Callable[[bytes], bytes]
"""From a file's bytes to the changed bytes; raises FrontMatterError or InvalidParams when it cannot be applied."""


def patching(patch: SubjectPatch, now: datetime) -> Change:
    """The change that `patch` asks for, dated `now`. Raises InvalidParams for a patch that no file can take."""
    _check_patch(patch)

    def change(content: bytes) -> bytes:
        bom, text = decode(content)
        doc = parse(text)
        changed = _with_front_matter(doc, patch)
        if patch.comment is not None:
            body = append_comment(changed.body, patch.comment, utc_text(now), changed.newline)
            changed = parse(_ended_fence(changed) + body)
        if changed.text == doc.text:
            return content
        # A file without the key is dated by the file system: adding one is a change that nobody asked for.
        if changed.values.get("updated_at") is not None:
            changed = edit.set_time(changed, "updated_at", utc_text(now))
        return _bounded(bom + changed.text.encode())

    return change


def new_file(request: SubjectCreateParams, now: datetime) -> bytes:
    """The bytes of a new task file. Raises InvalidParams with what is wrong with the request."""
    if request.kind != KIND:
        raise InvalidParams(f"kind `{request.kind}`: this plugin keeps `{KIND}` only - send kind `{KIND}`")
    _check_text("title", request.title)
    _check_labels(request.labels)
    _check_custom(request.custom)
    lines = [f"title: {render(request.title.strip())}", f"status: {request.status or SubjectStatus.READY}"]
    if request.priority is not None:
        lines.append(f"priority: {PriorityName.of_number(request.priority) or request.priority}")
    if request.assignee:
        _check_text("assignee", request.assignee)
        lines.append(f"assignee: {render(request.assignee)}")
    if request.labels:
        lines.append(f"labels: {render(list(dict.fromkeys(request.labels)))}")
    lines += [f"created_at: {utc_text(now)}", f"updated_at: {utc_text(now)}"]
    lines += [f"{render(key)}: {render(value)}" for key, value in request.custom.items() if value is not None]
    body = (request.body or "").strip("\r\n")
    text = "---\n" + "\n".join(lines) + "\n---\n" + (f"\n{body}\n" if body.strip() else "")
    _refuse_surrogates(text)
    doc = parse(text)
    wanted = {key: value for key, value in request.custom.items() if value is not None}
    # Read back as any reader would: a date or a huge number may come out as something else.
    if {key: value for key, value in doc.values.items() if key not in KNOWN_KEYS} != wanted:
        raise InvalidParams("custom: a value that YAML cannot carry unchanged - send it as text")
    return _bounded(text.encode())


def _with_front_matter(doc: Document, patch: SubjectPatch) -> Document:
    if patch.status is not None and _status_of(doc) is not patch.status:
        doc = edit.set_value(doc, "status", patch.status.value)
    if patch.assignee:
        doc = edit.set_value(doc, "assignee", patch.assignee)
    elif "assignee" in patch.model_fields_set:
        doc = edit.clear_value(doc, "assignee")
    doc = _with_labels(doc, patch.labels_add, patch.labels_remove)
    for key, value in patch.custom.items():
        doc = edit.remove_key(doc, key) if value is None else edit.set_value(doc, key, value)
    return doc


def _status_of(doc: Document) -> SubjectStatus | None:
    """The status as the file says it; a file that says nothing is ready, and stays without the key."""
    written = doc.values.get("status")
    return SubjectStatus(written) if written else SubjectStatus.READY


def _with_labels(doc: Document, add: list[str], remove: list[str]) -> Document:
    for label in dict.fromkeys(remove):
        while label in (labels := label_texts(doc)):
            doc = edit.remove_item(doc, "labels", labels.index(label))
    for label in dict.fromkeys(add):
        if label not in label_texts(doc):
            doc = edit.add_item(doc, "labels", label)
    return doc


def label_texts(doc: Document) -> list[str]:
    """The labels as written, each at its place in the list."""
    if doc.values.get("labels") is None:
        return []
    node = doc.entries["labels"].value
    return [str(item.value) for item in (node.value if isinstance(node.value, list) else [node])]


def _ended_fence(doc: Document) -> str:
    head = doc.text[: doc.body_start]
    return head if head.endswith("\n") else head + doc.newline


def _check_patch(patch: SubjectPatch) -> None:
    if patch.assignee:
        _check_text("assignee", patch.assignee)
    _check_labels([*patch.labels_add, *patch.labels_remove])
    _check_custom(patch.custom)
    if patch.comment is not None:
        if not patch.comment.strip():
            raise InvalidParams("comment: it is empty - send text, or leave the field out")
        _refuse_surrogates(patch.comment)


def _check_labels(labels: list[str]) -> None:
    for label in labels:
        _check_text("labels", label)


def _check_custom(custom: Mapping[str, Any]) -> None:
    for key, value in custom.items():
        _check_text("custom", key)
        if key in KNOWN_KEYS:
            raise InvalidParams(f"custom: `{key}` is a key of the task itself - send it in the field made for it")
        _refuse_surrogates(render(value))


def _check_text(field: str, text: str) -> None:
    if not text.strip() or len(text) > _MAX_TEXT_CHARS or any(ord(c) < ord(" ") or c == "\x7f" for c in text):
        raise InvalidParams(f"{field}: {text[:40]!r} - send one line of 1 to {_MAX_TEXT_CHARS} characters")
    _refuse_surrogates(text)


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidParams(f"character {error.start} of {text[:40]!r} is half a surrogate pair - send UTF-8") from None


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_FILE_BYTES:
        raise InvalidParams(f"the file would be {len(content)} bytes - at most {MAX_FILE_BYTES}; shorten it")
    return content


def utc_now() -> datetime:
    """The moment that a change is dated with."""
    return datetime.now(UTC)
