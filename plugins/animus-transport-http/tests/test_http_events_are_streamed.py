"""Server-sent events: from the cursor on, past a restart of the daemon, and apart from what other clients do."""

from __future__ import annotations

import socket
from typing import Any

DEADLINE_S = 20.0
MANY = 3000


def test_events_carry_their_id_and_begin_now_without_a_cursor(client: Any, daemon: Any) -> None:
    daemon.happen()
    reader = client.follow()
    daemon.happen(text="é\n\u2028")
    assert reader.event() == ("2", daemon.events[1])
    reader.close()


def test_a_client_that_comes_back_with_the_last_id_gets_the_rest(client: Any, daemon: Any) -> None:
    daemon.happen(5)
    for reader in (client.follow(Last_Event_ID="3"), client.follow("/api/v1/events?since=3")):
        assert [reader.event()[0] for _ in range(2)] == ["4", "5"]
        reader.close()


def test_the_id_that_a_browser_sends_again_goes_before_the_query(client: Any, daemon: Any) -> None:
    daemon.happen(3)
    reader = client.follow("/api/v1/events?since=0", Last_Event_ID="2")
    assert reader.event()[0] == "3"
    reader.close()


def test_a_cursor_that_the_daemon_refuses_is_an_answer_and_no_stream(client: Any, daemon: Any) -> None:
    answer = client.get("/api/v1/events?sicne=3")
    assert answer.error == (400, "invalid_request")
    assert daemon.asked == []


def test_a_method_that_the_daemon_does_not_know_is_not_supported(client: Any) -> None:
    assert client.get("/api/v1/logs").error == (501, "not_supported")


def test_without_a_daemon_a_stream_is_refused_and_says_when_to_try_again(client: Any, daemon: Any) -> None:
    daemon.stop()
    answer = client.get("/api/v1/events")
    assert answer.error == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"


def test_a_stream_outlives_the_daemon_and_goes_on_without_gap_or_repeat(client: Any, daemon: Any) -> None:
    reader = client.follow("/api/v1/events?since=0")
    daemon.happen(2)
    assert [reader.event()[0] for _ in range(2)] == ["1", "2"]
    daemon.stop()
    assert reader.block() == [": the daemon is away"]
    daemon.happen(2)
    daemon.start()
    assert [reader.event()[0] for _ in range(2)] == ["3", "4"]
    reader.close()


def test_a_client_that_does_not_read_makes_only_its_own_stream_wait(client: Any, daemon: Any) -> None:
    host, _, port = client.address.rpartition(":")
    stuck = socket.create_connection((host, int(port)), DEADLINE_S)
    stuck.sendall(f"GET /api/v1/events?since=0 HTTP/1.1\r\nHost: {client.address}\r\n\r\n".encode())
    daemon.streams(1)
    daemon.happen(MANY, text="x" * 10_000)
    reader = client.follow("/api/v1/events?since=0")
    assert [reader.event()[0] for _ in range(MANY)] == [str(number + 1) for number in range(MANY)]
    assert client.get("/api/v1/daemon/status").status == 200
    assert daemon.sent[1] == MANY
    assert daemon.sent[0] < MANY // 2, "nobody can have buffered what nobody has read"
    reader.close()
    stuck.close()


def test_a_client_that_leaves_ends_its_stream_of_the_daemon(client: Any, daemon: Any) -> None:
    for _ in range(40):  # more than may be open at once
        reader = client.follow()
        reader.close()
    reader = client.follow()
    daemon.happen()
    assert reader.event()[0] == "1"
    reader.close()


def test_more_streams_than_allowed_are_refused(client: Any) -> None:
    readers = [client.follow() for _ in range(32)]
    assert client.get("/api/v1/events").error == (503, "unavailable")
    assert client.get("/api/v1/daemon/status").status == 200
    for reader in readers:
        reader.close()
