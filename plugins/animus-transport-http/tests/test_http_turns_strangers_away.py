"""Who may ask a bridge that runs: hosts, origins, tokens; what no answer tells; and clients that never finish."""

from __future__ import annotations

import socket
from typing import Any

import pytest

STATUS = "/api/v1/daemon/status"
TOKEN = "a-token-of-many-letters"
DEADLINE_S = 20.0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "LOCALHOST", "[::1]:8080", "192.0.2.7"])
def test_addresses_and_localhost_may_be_asked(client_of_module: Any, host: str) -> None:
    assert client_of_module.get(STATUS, Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "[::1", "a@127.0.0.1", "127.0.0.1/"]
)
def test_a_name_that_points_here_is_no_way_in(client_of_module: Any, host: str) -> None:
    for path in (STATUS, "/healthz", "/openapi.json", "/nothing"):
        assert client_of_module.get(path, Host=host).error == (403, "permission_denied")


def test_a_foreign_page_may_neither_change_nor_read(client_of_module: Any, daemon_of_module: Any) -> None:
    before = len(daemon_of_module.asked)
    for origin in ("http://evil.example", "null", "", f"http://{client_of_module.address}.evil.example"):
        for verb, path in (("POST", "/api/v1/queue/q/hold"), ("DELETE", "/api/v1/queue/q"), ("GET", STATUS)):
            answer = client_of_module.ask(verb, path, headers={"Origin": origin})
            assert answer.error == (403, "permission_denied")
            assert "access-control-allow-origin" not in answer.headers
    assert len(daemon_of_module.asked) == before


def test_the_servers_own_page_may_ask(client_of_module: Any) -> None:
    assert client_of_module.get(STATUS, Origin=f"http://{client_of_module.address}").status == 200


@pytest.mark.parametrize("path", ["/healthz", STATUS, "/nothing", "/api/v1/subjects?x=1"])
def test_every_answer_forbids_frames_scripts_and_guessing(client_of_module: Any, path: str) -> None:
    headers = client_of_module.get(path).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_health_is_told_also_without_a_daemon(plugin: Any, client: Any, daemon: Any) -> None:
    daemon.stop()
    answer = client.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_with_a_token_every_request_but_the_health_check_needs_it(plugin: Any, daemon: Any, client_at: Any) -> None:
    client = client_at(plugin.open(daemon.path, config={"token_env": "BRIDGE_TOKEN"}))
    assert client.get("/healthz").status == 200
    for path in (STATUS, "/openapi.json", "/nothing", "/api/v1/events"):
        for authorization in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer é"):
            answer = client.ask("GET", path, headers={"Authorization": authorization.encode().decode("latin-1")})
            assert answer.error == (401, "permission_denied")
            assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get(STATUS, Authorization=f"Bearer {TOKEN}").status == 200
    assert daemon.asked == [("daemon/status", {})]


@pytest.mark.parametrize("name", ["SHORT_TOKEN", "NO_SUCH_TOKEN"])
def test_a_token_that_is_missing_or_short_keeps_the_plugin_closed(plugin: Any, daemon: Any, name: str) -> None:
    error = plugin.open(daemon.path, config={"token_env": name})["error"]
    assert error["data"]["category"] == "invalid_request"
    assert name in error["message"]
    assert "short" not in error["message"].replace("SHORT", "")


def test_remote_addresses_are_allowed_on_demand_and_named_hosts_with_them(
    plugin: Any, daemon: Any, client_at: Any
) -> None:
    config = {"allow_remote": True, "allowed_hosts": ["Animus.example"]}
    bound = plugin.open(daemon.path, "0.0.0.0:0", config)["result"]["bound_addr"]
    client = client_at({"result": {"bound_addr": "127.0.0.1:" + bound.rpartition(":")[2]}})
    assert client.get(STATUS, Host="animus.example").status == 200
    assert client.get(STATUS, Host="other.example").status == 403
    assert "no token is set" in plugin.end_well()


def test_a_misspelled_configuration_is_refused(plugin: Any, daemon: Any) -> None:
    error = plugin.open(daemon.path, config={"alow_remote": True})["error"]
    assert "config: alow_remote: Extra inputs are not permitted" in error["message"]


def test_a_header_without_end_is_cut_off(client_of_module: Any) -> None:
    host, _, port = client_of_module.address.rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
        answer = b""
        while piece := endless.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_half_a_character_of_the_daemon_does_no_harm(client_of_module: Any, daemon_of_module: Any) -> None:
    daemon_of_module.answers["daemon/agents"] = lambda _: "\ud800"
    assert client_of_module.get("/api/v1/daemon/agents").json == "\ufffd"
