"""Paths, queries and bodies become control calls; results, refusals and mistakes become answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

API = "/api/v1"


def _echo(daemon: Any, method: str) -> None:
    daemon.answers[method] = lambda params: {"asked": params, "of_tomorrow": None}


@pytest.mark.parametrize(
    ("verb", "path", "body", "method", "params"),
    [
        ("GET", "/subjects", None, "subject/list", {"filter": {}}),
        (
            "GET",
            "/subjects?kind=task&kind=bug&status=in_progress&limit=7&assignee=a%20b",
            None,
            "subject/list",
            {"filter": {"kind": ["task", "bug"], "status": ["in-progress"], "limit": 7, "assignee": ["a b"]}},
        ),
        ("POST", "/subjects", {"kind": "task", "title": "é"}, "subject/create", {"kind": "task", "title": "é"}),
        ("GET", "/subjects/TASK-1", None, "subject/get", {"id": "TASK-1"}),
        ("GET", f"/subjects/{quote('a/b:c d?', safe='')}", None, "subject/get", {"id": "a/b:c d?"}),
        ("PATCH", "/subjects/T", {"assignee": None}, "subject/update", {"id": "T", "patch": {"assignee": None}}),
        ("POST", "/subjects/a%2Fb/status", {"status": "done"}, "subject/status", {"id": "a/b", "status": "done"}),
        ("GET", "/queue?status=held&limit=3", None, "queue/list", {"status": "held", "limit": 3}),
        ("POST", "/queue", {"task_id": "T", "priority": "high"}, "queue/enqueue", {"task_id": "T", "priority": "high"}),
        ("GET", "/queue/stats", None, "queue/stats", {}),
        ("POST", "/queue/q-1/hold", {"reason": "later"}, "queue/hold", {"id": "q-1", "reason": "later"}),
        ("POST", "/queue/q-1/hold", None, "queue/hold", {"id": "q-1"}),
        ("POST", "/queue/q-1/release", None, "queue/release", {"id": "q-1"}),
        ("DELETE", "/queue/q-1", None, "queue/drop", {"id": "q-1"}),
        ("GET", "/workflows?status=failed", None, "workflow/list", {"status": "failed"}),
        ("POST", "/workflows", {"task_id": "T"}, "workflow/run", {"task_id": "T"}),
        ("GET", "/workflows/run-1", None, "workflow/get", {"id": "run-1"}),
        ("POST", "/workflows/run-1/pause", None, "workflow/pause", {"id": "run-1"}),
        ("POST", "/workflows/run-1/resume", {"feedback": "go"}, "workflow/resume", {"id": "run-1", "feedback": "go"}),
        ("POST", "/workflows/run-1/cancel", {"reason": "no"}, "workflow/cancel", {"id": "run-1", "reason": "no"}),
        ("GET", "/daemon/status", None, "daemon/status", {}),
        ("GET", "/daemon/health", None, "daemon/health", {}),
        ("GET", "/daemon/agents", None, "daemon/agents", {}),
        ("GET", "/plugins?include_warnings=true", None, "plugin/list", {"include_warnings": True}),
    ],
)
def test_a_path_is_a_control_call_whose_result_is_passed_on_whole(
    client_of_module: Any, daemon_of_module: Any, verb: str, path: str, body: Any, method: str, params: Any
) -> None:
    _echo(daemon_of_module, method)
    answer = client_of_module.ask(verb, API + path, body)
    assert answer.status in (200, 201, 202), answer.body
    assert answer.json == {"asked": params, "of_tomorrow": None}
    assert daemon_of_module.asked[-1] == (method, params)


@pytest.mark.parametrize(
    ("code", "category", "status"),
    [
        (-32602, "not_found", 404),
        (-32602, "invalid_request", 400),
        (-32600, "conflict", 409),
        (-32600, "permission_denied", 403),
        (-32603, "unavailable", 503),
        (-32603, "internal", 502),
        (-32001, "not_supported", 501),
        (-32601, "", 501),
        (-32602, "", 400),
        (-32099, "unheard_of", 502),
    ],
)
def test_a_refusal_of_the_daemon_becomes_a_status_by_its_category(
    client_of_module: Any, daemon_of_module: Any, refuse: Any, code: int, category: str, status: int
) -> None:
    daemon_of_module.answers["subject/get"] = refuse(code, "not now", category=category, hint="Try this.")
    answer = client_of_module.get(f"{API}/subjects/T")
    known = {400: "invalid_request", 501: "not_supported", 502: "internal"}
    assert answer.error == (status, category if category not in ("", "unheard_of") else known[status])
    assert answer.json["error"]["message"] == "not now"
    assert answer.json["error"]["hint"] == "Try this."
    assert (answer.headers["retry-after"] is not None) == (status == 503)


@pytest.mark.parametrize(
    ("verb", "path", "raw", "status", "reply_data"),
    [
        ("GET", "/subjects?stauts=ready", None, 400, "stauts is not known here: there is kind, status"),
        ("GET", "/subjects?status=later", None, 400, "filter.status.0: Input should be 'ready'"),
        ("GET", "/subjects?limit=1&limit=2", None, 400, "limit is given 2 times"),
        ("GET", "/queue?limit=-1", None, 400, "limit: Input should be greater than or equal to 0"),
        ("GET", "/subjects/T?x=1", None, 400, "x is not known here: there is nothing to give"),
        ("POST", "/subjects", b"{", 400, "the body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("POST", "/subjects", b"[]", 400, "the body is not a JSON object"),
        ("POST", "/subjects", b"[" * 100_000, 400, "the body is not valid JSON: recursion limit exceeded"),
        ("POST", "/subjects", b'{"a":NaN}', 400, "the body is not valid JSON"),
        ("POST", "/subjects", b"\xff", 400, "the body is not valid JSON"),
        ("POST", "/subjects", b'{"kind":"task"}', 400, "subject/create: title: Field required"),
        ("POST", "/subjects", b'{"titel":"x"}', 400, "titel is not known here: there is kind, title"),
        ("POST", "/queue/q/hold", b'{"id":"other"}', 400, "id is not known here: there is reason"),
        ("POST", "/subjects", b" " * (1024 * 1024 + 1), 413, "over the limit of 1048576 bytes"),
        ("GET", "/nothing", None, 404, "no such path: /api/v1/nothing"),
        ("GET", "/subjects/", None, 404, "no such path: /api/v1/subjects/"),
        ("PUT", "/subjects", None, 405, "Method Not Allowed"),
        ("POST", "/events", None, 405, "Method Not Allowed"),
        ("HEAD", "/events", None, 405, None),
    ],
)
def test_mistakes_are_told_with_their_place_and_the_daemon_is_not_asked(
    client_of_module: Any, daemon_of_module: Any, verb: str, path: str, raw: Any, status: int, reply_data: str | None
) -> None:
    before = len(daemon_of_module.asked)
    answer = client_of_module.ask(verb, API + path, raw=raw)
    assert answer.status == status, answer.body
    if reply_data is not None:
        assert answer.json["error"]["category"] == ("not_found" if status == 404 else "invalid_request")
        assert reply_data in answer.json["error"]["message"]
    assert len(daemon_of_module.asked) == before


def test_a_body_that_is_not_called_json_is_refused(client_of_module: Any) -> None:
    answer = client_of_module.ask("POST", f"{API}/queue", raw=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.error == (415, "invalid_request")


def test_an_answer_of_the_daemon_that_is_strange_json_is_passed_on(
    client_of_module: Any, daemon_of_module: Any
) -> None:
    strange = {"big": 2**70, "text": "\u2028\x00é😀", "list": [None, {}, []]}
    daemon_of_module.answers["daemon/health"] = lambda _: strange
    assert client_of_module.get(f"{API}/daemon/health").json == strange


def test_the_description_names_every_path_and_every_reference_in_it_leads_somewhere(client_of_module: Any) -> None:
    document = client_of_module.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert len(document["paths"]) == 19
    references = {part.split('"')[0] for part in json.dumps(document).split('"$ref": "')[1:]}
    assert references
    for reference in references:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert [one["name"] for one in document["paths"]["/api/v1/queue"]["get"]["parameters"]] == [
        "status",
        "cursor",
        "limit",
    ]
    hold = document["paths"]["/api/v1/queue/{id}/hold"]["post"]
    assert [(one["name"], one["in"]) for one in hold["parameters"]] == [("id", "path")]
    assert [*hold["requestBody"]["content"]["application/json"]["schema"]["properties"]] == ["reason"]
    create = document["paths"]["/api/v1/subjects"]["post"]["requestBody"]
    assert create["required"]
    assert create["content"]["application/json"]["schema"]["required"] == ["kind", "title"]
