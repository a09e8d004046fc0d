"""`key=value` words become params as the method's row says; what does not fit is refused with key, value and type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.cli.plugin.param_types import schema_of
from animus_core.cli.plugin.params import json_object, params_from, params_of, row_name
from animus_core.errors import InvalidInput
from animus_protocol.methods import METHODS

LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters=","), min_size=1, max_size=12)
ITEMS = st.lists(LATIN.filter(lambda text: text[0] not in '["{'), min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ANY_JSON = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(max_size=5), LEAVES, max_size=3)


@pytest.mark.parametrize(
    ("method", "words", "params"),
    [
        ("subject/get", ["id=42"], {"id": "42"}),
        ("subject/get", ["id=null"], {"id": "null"}),
        ("subject/get", ['id="a b"'], {"id": "a b"}),
        ("subject/get", ['id="half'], {"id": '"half'}),
        ("subject/get", ["id=a=b"], {"id": "a=b"}),
        ("subject/list", ["limit=5"], {"limit": 5}),
        ("subject/list", ["limit=null"], {"limit": None}),
        ("log_storage/query", ["follow=true"], {"follow": True}),
        ("log_storage/query", ["since=2026-01-05T09:00:00Z"], {"since": "2026-01-05T09:00:00Z"}),
        ("subject/list", ["kind=a,b"], {"kind": ["a", "b"]}),
        ("subject/list", ['kind=["a,b", "c"]'], {"kind": ["a,b", "c"]}),
        ("subject/list", ["kind=1", "kind=2,3"], {"kind": ["1", "2", "3"]}),
        ("subject/list", ["kind="], {"kind": []}),
        ("queue/lease", ["max=1", "workflow_ids=7"], {"max": 1, "workflow_ids": ["7"]}),
        (
            "subject/update",
            ["patch.status=done", "patch.assignee=null", "patch.labels_add=a", "patch.labels_add=b"],
            {"patch": {"status": "done", "assignee": None, "labels_add": ["a", "b"]}},
        ),
        ("subject/update", ["patch.custom.a.b=c"], {"patch": {"custom": {"a": {"b": "c"}}}}),
        ("subject/update", ["patch={}", "patch.comment=5"], {"patch": {"comment": "5"}}),
        ("subject/update", ["patch.comment=5", "patch={}"], {"patch": {"comment": "5"}}),
        ("agent/run", ["prompt=1", "env.A=1", "other=1"], {"prompt": "1", "env": {"A": "1"}, "other": 1}),
        ("$/cancelRequest", ["id=3"], {"id": 3}),
        ("$/cancelRequest", ["id=three"], {"id": "three"}),
        ("vendor/verb", ["a=1", "b=text", "c.d=NaN", "a=2"], {"a": 2, "b": "text", "c.d": "NaN"}),
        ("vendor/verb", ["a=1e400", "b=[-1e400]", "c=1e3"], {"a": "1e400", "b": "[-1e400]", "c": 1000.0}),
    ],
)  # fmt: skip
def test_a_word_is_what_the_method_says(method: str, words: list[str], params: dict[str, Any]) -> None:
    assert params_from(method, words) == params


@pytest.mark.parametrize(
    ("method", "words", "messages"),
    [
        ("subject/get", ["id"], ["'id' is not of the form key=value", "id=TASK-001"]),
        ("subject/get", ["=1"], ["'=1' is not of the form key=value"]),
        ("subject/get", ["id=\udc80"], ["is not of the form key=value"]),
        ("subject/list", ["limt=5"], ["the method has no param 'limt'", "Did you mean limit?", "native_status"]),
        ("subject/schema", ["x=1"], ["no param 'x'", "none at all"]),
        ("subject/list", ["limit=five"], ["limit is 'five', expected a whole number from 0 to 4294967295"]),
        ("subject/list", ["limit=5.5"], ["limit is '5.5', expected a whole number"]),
        ("subject/list", ["limit=-1"], ["limit is '-1', expected a whole number from 0"]),
        ("subject/list", ["limit=true"], ["limit is 'true', expected a whole number"]),
        ("subject/list", ["limit=1", "limit=2"], ["limit is given 2 times"]),
        ("subject/list", ["status=finished"], ["status[0] is 'finished', expected one of ready, in-progress, blocked"]),
        ("subject/list", ["kind.x=1"], ["kind is a list", "has no fields"]),
        ("subject/list", ["updated_since=2026-01-05"], ["expected a time with its offset"]),
        ("log_storage/query", ["follow=yes"], ["follow is 'yes', expected true or false"]),
        ("log_storage/store", ['entries={"id": 1}'], ["entries[0].id is '1', expected text"]),
        ("subject/update", ["patch.stats=done"], ["patch has no field 'stats'", "Did you mean status"]),
        ("subject/update", ['patch={"status": "dne"}'], ["patch.status is 'dne', expected one of ready"]),
        ("subject/update", ["patch=done"], ["patch is 'done', expected a JSON object"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_key_its_value_and_what_is_expected(
    method: str, words: list[str], messages: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        params_from(method, words)
    assert not [part for part in messages if part not in str(refused.value)], refused.value
    assert refused.value.exit_code == 2


def test_the_params_as_json_are_taken_as_they_are_and_stay_as_they_were() -> None:
    base = {"limit": "five", "unheard": 1, "patch": {"status": 7}}
    assert params_from("subject/update", ["id=1", "patch.comment=c"], base) == {
        **base,
        "id": "1",
        "patch": {"status": 7, "comment": "c"},
    }
    assert base["patch"] == {"status": 7}
    with pytest.raises(InvalidInput, match="patch is 3 already, and no object"):
        params_from("subject/update", ["patch.status=done"], {"patch": 3})


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": NaN}', '{"a": 1e400}', '{"a": "\\ud800"}', '{"a":' * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--params is not (valid JSON|a JSON object)"):
        json_object(text, "--params")


def test_methods_of_a_kind_have_the_types_of_the_subject_methods() -> None:
    assert row_name("task/list", ["task"]) == "subject/list"
    assert row_name("linear.issue/get", ["linear.*"]) == "subject/get"
    assert row_name("memory/list", ["task"]) == "memory/list"
    assert row_name("ping", ["task"]) == "ping"


def test_every_method_has_types_that_are_understood() -> None:
    for name in METHODS:
        assert params_from(name, []) == {}
        assert {keyword for node in _nodes(schema_of(name)) for keyword in node} <= {
            *("type", "anyOf", "enum", "format", "minimum", "maximum", "items", "properties", "additionalProperties"),
            *("required", "default", "title", "description"),
        }, name
    assert "limit" in params_of("subject/list")
    assert params_of("vendor/verb") == ()


@given(LATIN.filter(lambda text: text[0] != '"'), st.integers(0, 2**32 - 1), ITEMS, st.booleans(), ANY_JSON)
def test_whatever_is_written_is_read_as_it_was_meant(
    text: str, number: int, items: list[str], repeated: bool, value: Any
) -> None:
    words = [f"kind={item}" for item in items] if repeated else [f"kind={','.join(items)}"]
    assert params_from("subject/list", [*words, f"limit={number}"]) == {"kind": items, "limit": number}
    assert params_from("subject/get", [f"id={text}"]) == {"id": text}
    assert params_from("subject/get", [f"id={json.dumps(text)}"]) == {"id": text}
    assert params_from("trigger/watch", [f"config.deep={json.dumps(value)}"]) == {"config": {"deep": value}}


@given(st.sampled_from(sorted(METHODS)), st.lists(st.text() | st.builds("{}={}".format, LATIN, st.text())))
def test_whatever_is_written_is_read_or_refused(method: str, words: list[str]) -> None:
    try:
        params = params_from(method, words)
    except InvalidInput:
        return
    json.dumps(params, ensure_ascii=False, allow_nan=False).encode()


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if node:
        yield node
        below = [*node.get("anyOf", ()), *node.get("properties", {}).values(), node.get("items")]
        for one in (*below, node.get("additionalProperties")):
            if isinstance(one, dict):
                yield from _nodes(one)
