"""The plugin in shell against JSON as others write it: every text comes back, no line breaks a frame of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raw_host import RawHost

pytestmark = pytest.mark.hostile
PROGRAM = Path(__file__).parent / "plugins/animus-subject-shell"
HELLO = {"protocol_version": "1.1.0", "host_info": {"name": "test", "version": "0"}, "capabilities": {}}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


class Talk(RawHost):
    """Asks one plugin process in lines."""

    def __init__(self, folder: Path) -> None:
        super().__init__(["/bin/sh", str(PROGRAM)], cwd=folder)
        self.ids = 0
        assert "result" in self.ask("initialize", HELLO)

    def send_line(self, line: str) -> None:
        self.write(line.encode() + b"\n")

    def ask(self, method: str, params: Any = None, *, ascii_only: bool = False, **fields: Any) -> dict[str, Any]:
        """The whole reply; it is the next line, because this plugin does one thing after the other."""
        self.ids += 1
        request = {"jsonrpc": "2.0", "id": self.ids, "method": method, "params": fields if params is None else params}
        self.send_line(json.dumps(request, ensure_ascii=ascii_only))
        reply = self.message()
        assert reply["id"] == self.ids, reply
        return reply

    def end_well(self) -> None:
        self.end_input()
        assert self.wait() == 0
        self.close()


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path)
    yield made
    made.end_well()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=TEXT, body=TEXT, ascii_only=st.booleans())
def test_every_text_comes_back_as_it_was(talk: Talk, title: str, body: str, ascii_only: bool) -> None:
    made = talk.ask("note/create", {"kind": "note", "title": title, "body": body}, ascii_only=ascii_only)["result"]
    assert (made["title"], made["description"], made["status"]) == (title, body, "ready")
    again = talk.ask("subject/get", {"id": made["id"]}, ascii_only=ascii_only)["result"]
    assert again == made
    talk.ask("note/status", {"id": made["id"], "status": "in_progress"})
    listed = talk.ask("note/list", {"kind": ["note"], "status": ["in-progress"]})["result"]["subjects"]
    assert listed[-1]["title"] == title
    (talk.cwd / "notes.tsv").unlink()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.sampled_from('{}[]":,\\ntu019ae.- \t"\\'), max_size=40)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\x00"), max_size=40)
)
def test_no_line_ends_the_plugin_or_breaks_an_answer(talk: Talk, line: str) -> None:
    talk.send_line(line)
    assert talk.ask("$/ping", {}) == {"jsonrpc": "2.0", "id": talk.ids, "result": {}}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["create", "get", "status", "list"]),
    st.dictionaries(
        st.sampled_from(["id", "title", "body", "status", "kind", "limit", "cursor", "labels", "priority", "x"]),
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT
        | st.sampled_from(["N-1", "ready", "note", "done"])
        | st.lists(st.sampled_from(["ready", "note", "done", 'a"b', "N-1"]), max_size=3)
        | st.dictionaries(TEXT, TEXT, max_size=2),
        max_size=6,
    ),
)
def test_params_of_any_type_are_served_or_refused_and_always_answered(
    talk: Talk, verb: str, params: dict[str, Any]
) -> None:
    reply = talk.ask(f"note/{verb}", params)
    assert ("result" in reply) != ("error" in reply)
    if "error" in reply:
        assert reply["error"]["code"] in (-32602, -32601, -32001)
        assert reply["error"]["data"]["category"] in ("invalid_request", "not_found", "not_supported")


def test_lines_of_the_file_that_are_no_notes_are_passed_over_and_kept(talk: Talk) -> None:
    talk.ask("note/create", {"title": "one"})
    path = talk.cwd / "notes.tsv"
    by_hand = 'a heading\nN-7\tready\tnow\tnow\tsay "hi"\t\nN-x\tready\tnow\tnow\tt\tb\n'
    path.write_text(by_hand + path.read_text())
    assert [one["id"] for one in talk.ask("note/list", {})["result"]["subjects"]] == ["N-1"]
    assert talk.ask("note/status", {"id": "N-1", "status": "done"})["result"]["status"] == "done"
    assert talk.ask("note/create", {"title": "two"})["result"]["id"] == "N-8"
    assert path.read_text().startswith(by_hand)


def test_pages_follow_each_other_without_a_gap(talk: Talk) -> None:
    for number in range(1, 13):
        talk.ask("note/create", {"title": f"t{number}"})
    seen, cursor = [], None
    while True:
        page = talk.ask("note/list", {"limit": 5, **({"cursor": cursor} if cursor else {})})["result"]
        seen += [one["id"] for one in page["subjects"]]
        if (cursor := page.get("next_cursor")) is None:
            break
    assert seen == [f"N-{number}" for number in range(1, 13)]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(talk: Talk) -> None:
    talk.ask("note/create", {"title": "one"})
    (talk.cwd / "notes.tsv.new").mkdir()
    refused = talk.ask("note/status", {"id": "N-1", "status": "done"})["error"]
    assert (refused["code"], refused["data"]["category"]) == (-32603, "unavailable")
    (talk.cwd / "notes.tsv.new").rmdir()
    assert talk.ask("note/get", {"id": "N-1"})["result"]["status"] == "ready"
