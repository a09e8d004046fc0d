"""What a command asks is answered alike by a daemon and without one, and no wait of it is without an end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core import errors
from animus_core.cli.main import main
from animus_core.control import methods
from animus_core.control.ask import ask, ask_daemon, ask_each, follow_daemon
from animus_core.control.blocking import BlockingConnection, dial, dial_while
from animus_core.control.message_lines import MessageLines
from animus_core.store.locks import acquire
from animus_core.store.paths import Scope
from animus_protocol.errors import BadReply, CallTimeout, PeerGone, RpcError
from animus_protocol.framing import Framer
from control_client import serving

DEADLINE_S = 20.0
MESSAGES = st.builds(
    lambda number, text: {"jsonrpc": "2.0", "id": number, "result": {"text": text, "list": [{}, "}"]}},
    st.integers(),
    st.text(),
)
WRITTEN: st.SearchStrategy[bytes] = st.one_of(
    MESSAGES.map(lambda message: json.dumps(message).encode()),
    MESSAGES.map(lambda message: json.dumps(message, ensure_ascii=False).encode() + b"\r"),
    MESSAGES.map(lambda message: b"\xef\xbb\xbf" + json.dumps(message).encode()),
    MESSAGES.map(lambda message: json.dumps(message, indent=1).encode()),
    st.sampled_from(
        [b"", b"  ", b"no JSON", b"\xff\xfe", b"[1]", b"7", b'{"a": NaN}', b'{"jsonrpc": "\\ud83d"}', b'{"a": ']
    ),
)


@given(lines=st.lists(WRITTEN, max_size=8), size=st.integers(1, 50))
def test_messages_are_read_as_the_protocols_framing_reads_them(lines: list[bytes], size: int) -> None:
    sent = b"".join(line + b"\n" for line in lines)
    chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
    framer, reader = Framer(), MessageLines()
    framed = [value for chunk in chunks for value in framer.feed(chunk)]
    read = [message for chunk in chunks for message in reader.feed(chunk)]
    assert read == [value for value in framed if isinstance(value, dict)]


def test_a_message_that_is_too_long_is_an_error_and_a_last_line_needs_no_end() -> None:
    reader = MessageLines(max_frame_bytes=10)
    assert reader.feed(b'{"a": 1}') == []
    assert reader.end() == [{"a": 1}]
    reader.feed(b"{" + b" " * 9)
    with pytest.raises(BadReply, match="longer than 10 bytes"):
        reader.feed(b" ")


@contextmanager
def played(path: Path, play: Callable[[socket.socket], None]) -> Iterator[None]:
    """Whoever connects to `path` meets `play`."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(DEADLINE_S)
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(DEADLINE_S)
                play(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def connected(path: Path) -> BlockingConnection:
    found = dial(path)
    assert found is not None
    return found


def test_a_call_without_an_answer_ends_at_its_deadline_and_is_cancelled(scope: Scope) -> None:
    received = bytearray()

    def silent(sock: socket.socket) -> None:
        while chunk := sock.recv(4096):
            received.extend(chunk)

    late = pytest.raises(CallTimeout, match=r"did not answer queue/list within 0\.2 s")
    with played(scope.control_socket, silent), connected(scope.control_socket) as connection, late:
        connection.call("queue/list", {}, timeout_s=0.2)
    question, cancellation = (json.loads(line) for line in received.splitlines())
    assert (question["method"], question["params"]) == ("queue/list", {})
    assert cancellation == {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": question["id"]}}


def test_a_daemon_that_leaves_in_the_middle_is_gone(scope: Scope) -> None:
    def leave(sock: socket.socket) -> None:
        sock.recv(4096)

    gone = pytest.raises(PeerGone, match="end of input")
    with played(scope.control_socket, leave), connected(scope.control_socket) as connection, gone:
        connection.call("queue/list", {}, timeout_s=DEADLINE_S)


def test_an_answer_is_found_among_what_else_comes_and_a_null_error_is_none(scope: Scope) -> None:
    lines: list[dict[str, Any]] = [
        {"method": "daemon/event", "params": {"data": 1}},
        {"id": 99, "result": "somebody else's"},
        {"id": True, "result": "no number, though it is equal to 1"},
        {"id": 5, "method": "a/question"},
        {"id": 1, "result": {"more": "than is known"}, "error": None},
    ]

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"".join(json.dumps({"jsonrpc": "2.0", **line}).encode() + b"\n" for line in lines))
        sock.recv(4096)
        sock.sendall(b'{"jsonrpc": "2.0", "id": 2, "error": {"code": -32603, "message": "no"}}\n')

    seen: list[tuple[str, Any]] = []
    with played(scope.control_socket, answer), connected(scope.control_socket) as connection:
        found = connection.call(
            "queue/list", {}, timeout_s=DEADLINE_S, on_notification=lambda name, params: seen.append((name, params))
        )
        assert found == {"more": "than is known"}
        with pytest.raises(RpcError, match="no"):
            connection.call("queue/list", {}, timeout_s=DEADLINE_S)
    assert seen == [("daemon/event", {"data": 1})]


@pytest.mark.parametrize("result", [None, {}, [], 7, {"running": None, "capabilities": {}}])
def test_an_answer_without_what_each_has_is_told_and_never_taken_for_one(scope: Scope, result: object) -> None:
    scope.create()

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n")

    held = acquire(scope.daemon_lock)
    assert held is not None
    without = pytest.raises(errors.Internal, match="answered daemon/status without running")
    with held, played(scope.control_socket, answer), without:
        ask_daemon(scope, methods.DAEMON_STATUS({}))


def test_whoever_is_expected_is_waited_for_and_no_longer(scope: Scope) -> None:
    assert dial_while(scope.control_socket, lambda: False, timeout_s=DEADLINE_S) is None
    assert dial_while(scope.control_socket, lambda: True, timeout_s=0.05) is None


def test_without_a_daemon_there_is_nobody_to_ask(scope: Scope) -> None:
    with pytest.raises(errors.RetryLater, match="no daemon is running"):
        ask_daemon(scope, methods.DAEMON_STATUS({}))
    with pytest.raises(errors.RetryLater, match="no daemon is running"):
        follow_daemon(scope, methods.DAEMON_EVENTS({}), lambda _name, _params: None)


def test_a_text_that_is_not_unicode_is_named_before_anybody_is_asked() -> None:
    with pytest.raises(errors.InvalidInput, match=r"task_id is 'a\\udc80': it is not UTF-8"):
        methods.QUEUE_ENQUEUE({"task_id": "a\udc80"})


QUESTIONS: list[Callable[[], methods.Question[Any]]] = [
    lambda: methods.QUEUE_ENQUEUE({"task_id": "A", "kind": "custom", "priority": 300}),
    lambda: methods.QUEUE_ENQUEUE({"task_id": "A", "kind": "custom", "workflow_ref": "absent"}),
    lambda: methods.QUEUE_LIST({"status": "nowhere"}),
    lambda: methods.QUEUE_LIST({"limit": -1}),
    lambda: methods.QUEUE_DROP({"id": "q-9"}),
    lambda: methods.SUBJECT_GET({"id": "A"}),
    lambda: methods.SUBJECT_LIST({"filter": {"status": ["odd"]}}),
    lambda: methods.WORKFLOW_GET({"id": "run-9"}),
    lambda: methods.PLUGIN_CALL({"name": "kept", "method": "shutdown"}),
]


@pytest.fixture
def no_plugins(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMUS_CONFIG_DIR", str(scope.root.parent))
    monkeypatch.setattr("animus_core.supply.discovery.entry_points.entry_points", lambda group: [])


@pytest.mark.usefixtures("no_plugins")
async def test_a_daemon_and_this_process_answer_alike(scope: Scope) -> None:
    def refusal(question: methods.Question[Any]) -> tuple[Any, ...]:
        with pytest.raises(errors.AnimusError) as caught:
            ask(scope, question)
        error = caught.value
        return error.code, error.message, error.hint, error.exit_code, error.details

    def session() -> tuple[list[Any], list[Any]]:
        entry = ask(scope, methods.QUEUE_ENQUEUE({"task_id": "A", "kind": "custom"}))
        assert entry["workflow_ref"] == "build"
        held, ready = (
            ask(scope, methods.QUEUE_HOLD({"id": entry["id"], "reason": "ä"})),
            ask_each(scope, [methods.QUEUE_RELEASE({"id": "A"}), methods.QUEUE_DROP({"id": "A"})])[0],
        )
        different = ("id", "enqueued_at")
        answers = [{k: v for k, v in found.items() if k not in different} for found in (entry, held, ready)]
        return answers, [refusal(question()) for question in QUESTIONS]

    here = await asyncio.to_thread(session)
    lock = acquire(scope.daemon_lock)
    assert lock is not None
    with lock:
        async with serving(scope):
            assert await asyncio.to_thread(session) == here
            assert (await asyncio.to_thread(lambda: ask(scope, methods.DAEMON_STATUS({})))).get("pid") == 7
    assert here[1][-1][:2] == (
        "invalid_input",
        "shutdown is for the host that runs the plugin: after it nobody else could use the plugin",
    )
    assert here[1][0][:2] == (
        "invalid_input",
        "priority.constrained-int is 300: Input should be less than or equal to 255",
    )


class Watched(list[methods.Question[Any]]):
    """Questions that look, while they are answered, whether the lock is held."""

    lock: Path

    def __iter__(self) -> Iterator[methods.Question[Any]]:
        for question in super().__iter__():
            assert acquire(self.lock) is None
            yield question


@pytest.mark.usefixtures("no_plugins")
def test_without_a_daemon_a_command_works_in_its_own_process_under_the_daemons_lock(scope: Scope) -> None:
    questions = Watched([methods.QUEUE_ENQUEUE({"task_id": "A", "kind": "custom"}), methods.DAEMON_STATUS({})])
    questions.lock = scope.daemon_lock
    entry, status = ask_each(scope, questions)
    assert entry["workflow_ref"] == "build"
    assert status["running"] is False
    for alone in (methods.WORKFLOW_CANCEL({"id": "run-1"}), methods.DAEMON_NUDGE({}), methods.DAEMON_STOP({})):
        with pytest.raises(errors.RetryLater, match="no daemon is running"):
            ask(scope, alone)
    with pytest.raises(errors.UnknownName):
        ask(scope, methods.SUBJECT_GET({"id": "A"}))
    with pytest.raises(errors.RetryLater):
        ask(scope, methods.DAEMON_EVENTS({}))
    assert ask(scope, methods.QUEUE_STATS({}))["ready"] == 1


def test_numbers_that_json_has_no_word_for_are_sent_as_null(scope: Scope) -> None:
    received = bytearray()

    def answer(sock: socket.socket) -> None:
        received.extend(sock.recv(4096))
        sock.sendall(b'{"jsonrpc": "2.0", "id": 1, "result": null}\n')

    given = {"params": {"many": [float("nan"), float("inf"), 1.5], "none": None}}
    with played(scope.control_socket, answer), connected(scope.control_socket) as connection:
        assert connection.call("plugin/call", given, timeout_s=DEADLINE_S) is None
    assert json.loads(received)["params"] == {"params": {"many": [None, None, 1.5], "none": None}}


def test_a_subject_of_another_daemon_may_be_wrapped_and_have_fields_that_nobody_here_knows(
    scope: Scope, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = {"id": "A", "title": "t", "status": "ready", "newer": 1}

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"subject": subject}}).encode() + b"\n")

    monkeypatch.setenv("ANIMUS_CONFIG_DIR", str(scope.root.parent))
    with played(scope.control_socket, answer):
        assert main(["--json", "--project-root", str(scope.project_root), "subject", "get", "A"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == subject
