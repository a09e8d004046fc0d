"""Checks of what a plugin does with input that no good host would send (protocol §1, §3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.kind_probe import KindProbe
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_alive
from animus_conformance.kinds import Kind
from animus_conformance.patience import Patience
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Reply

# Ids from 900,000 on: no answer to one of these is taken for an answer to a request of the host's.
_MALFORMED: Final = (
    b"hello",
    b"}",
    b'{"jsonrpc":"2.0","id":900001,"method":"$/ping",}',
    b"[]",
    b'"text"',
    b"42",
    b"null",
    b"{}",
    b"[1,2,3]",
    b"\x01\x02\x7f",
)
_WRONG_ENVELOPES: Final[tuple[dict[str, Any], ...]] = (
    {"id": 900002},
    {"jsonrpc": "2.0", "id": 900010, "method": 7},
    {"jsonrpc": "2.0", "id": 900011, "method": None, "params": {}},
    {"jsonrpc": "2.0", "id": {"a": 1}, "method": "$/ping", "params": {}},
    {"jsonrpc": "2.0", "id": [1], "method": "$/ping", "params": {}},
    {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": {"a": 1}}},
    {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": [1]},
    {"jsonrpc": "2.0", "method": "$/cancelRequest"},
    {"jsonrpc": "2.0", "method": "initialized", "params": "text"},
    {"method": "conformance/x", "params": 7},
    {"jsonrpc": "2.0", "result": {}},
    {"jsonrpc": "2.0", "id": 900012, "result": {}, "error": {"code": 1, "message": "both"}},
    {"jsonrpc": "2.0", "id": 900013, "error": "text"},
)
_UNUSUAL: Final = (
    '"Grüße, 世界, \U0001f680"',
    r'"\u0000\u0001\u001f\u007f"',
    r'"\ud83d"',
    r'"\udc00 and back"',
    '"' + "x" * 100_000 + '"',
    r'"\\\"\/\b\f\n\r\t"',
    '"\u2028\u2029\ufeff"',
)
_DEPTH: Final = 100_000
"""Past what parsers that call themselves can bear, at any usual size of a stack."""
_PIECE_BYTES: Final = 7
"""So few, and odd, that cuts fall into names and into letters of several bytes."""
_GARBAGE_LINES: Final = 1_000
_MAX_STDERR_BYTES: Final = 1024 * 1024


@check("hostile.malformed-frames")
async def malformed_frames(processes: Processes) -> None:
    """Sends lines that are no message, each followed by $/ping."""
    host = await processes.rough()
    for line in _MALFORMED:
        host.raw(line + b"\n")
        await require_alive(host, f"after the line {line!r}")


@check("hostile.wrong-envelopes")
async def wrong_envelopes(processes: Processes) -> None:
    """Sends JSON-RPC messages with members of wrong types, each followed by $/ping."""
    host = await processes.rough()
    for message in _WRONG_ENVELOPES:
        request_id = message.get("id")
        if isinstance(request_id, int):
            host.expect(request_id, str(message.get("method")))
        elif request_id is not None:
            host.allow(request_id)
        host.raw(json.dumps(message).encode() + b"\n")
        await require_alive(host, f"after the message {json.dumps(message)}")


@check("hostile.truncated-frames")
async def truncated_frames(processes: Processes) -> None:
    """Sends messages that end in the middle, each followed by $/ping."""
    whole = b'{"jsonrpc":"2.0","id":900020,"method":"$/ping","params":{"text":"x"}}'
    host = await processes.rough()
    await _given_alive(host)
    for end in (len(whole) - 1, whole.index(b"x"), whole.index(b"method"), 1):
        host.raw(whole[:end] + b"\n")
        await require_alive(host, f"after the line {whole[:end].decode()}")


@check("hostile.blank-lines")
async def blank_lines(processes: Processes) -> None:
    """Sends empty lines, lines of blanks, and requests that end in CR LF."""
    host = await processes.rough()
    await _given_alive(host)
    host.raw(b"\n\n   \n\r\n\t\n")
    await require_alive(host, "after blank lines")
    host.expect("crlf", "$/ping")
    host.raw(b'{"jsonrpc":"2.0","id":"crlf","method":"$/ping","params":{}}\r\n')
    try:
        await host.reply("crlf")
    except Failed as failed:
        raise Failed(f"a request that ends in CR LF: {failed}") from None


@check("hostile.split-frames")
async def split_frames(processes: Processes, patience: Patience) -> None:
    """Sends one request in pieces, cut within names and letters, each when the last one has been read."""
    host = await processes.rough()
    await _given_alive(host)
    host.expect("split", "$/ping")
    message = {"jsonrpc": "2.0", "id": "split", "method": "$/ping", "params": {"text": "Grüße, 世界 \U0001f680"}}
    frame = json.dumps(message, ensure_ascii=False).encode() + b"\n"
    for begin in range(0, len(frame), _PIECE_BYTES):
        host.raw(frame[begin : begin + _PIECE_BYTES])
        if not await host.process.consumed(patience.answer_s):
            raise Failed("the plugin stopped reading in the middle of a line")
    await host.reply("split")


@check("hostile.big-frames")
async def big_frames(processes: Processes) -> None:
    """Sends $/ping with a text of 1 MiB in a member that nobody knows."""
    host = await processes.rough()
    plain = await _given_alive(host)
    reply = await host.ask("$/ping", {"x_text": "x" * 1024 * 1024})
    if (reply.error is None) != (plain.error is None):
        raise Failed(f"$/ping got {plain}, and with a text of 1 MiB {reply}")


@check("hostile.deep-nesting")
async def deep_nesting(processes: Processes) -> None:
    """Sends params nested 100 deep, then 100,000 deep, each followed by $/ping."""
    host = await processes.rough()
    for number, depth in enumerate((100, _DEPTH)):
        request_id = f"deep-{number}"
        host.expect(request_id, "$/ping")
        nested = b"[" * depth + b"]" * depth
        host.raw(b'{"jsonrpc":"2.0","id":"%b","method":"$/ping","params":{"x":%b}}\n' % (request_id.encode(), nested))
        await require_alive(host, f"after values nested {depth:,} deep")


@check("hostile.unusual-texts")
async def unusual_texts(processes: Processes, probe: KindProbe) -> None:
    """Sends the kind's harmless request with unusual texts in a member that nobody knows, and as its id."""
    method = probe.method
    host = await processes.rough()
    for number, text in enumerate(_UNUSUAL):
        request_id = f"text-{number}"
        host.expect(request_id, method)
        params = json.dumps({**probe.params, "x_text": "?"}).replace('"?"', text)
        frame = f'{{"jsonrpc":"2.0","id":"{request_id}","method":"{method}","params":{params}}}\n'
        host.raw(frame.encode())
        await require_alive(host, f"after the text {text[:60]}")


@check("hostile.wrong-params")
async def wrong_params(processes: Processes, claims: Claims, kind: Kind) -> None:
    """Asks each advertised method of the kind with an empty object and with a list where it requires members."""
    host = await processes.rough()
    await _given_alive(host)
    for name in kind.methods:
        if name not in claims.advertised or not _required(name):
            continue
        wrong: tuple[Any, ...] = ({}, [1, 2])
        for params in wrong:
            reply = await host.ask(claims.method(name), params)
            if reply.error is None:
                wanted = ", ".join(_required(name))
                raise Failed(f"{claims.method(name)} with {json.dumps(params)}, without {wanted}, got {reply}")


@check("hostile.unknown-params")
async def unknown_params(processes: Processes, probe: KindProbe) -> None:
    """Asks the kind's harmless request with and without members that nobody knows, and compares."""
    method, params = probe.method, probe.params
    host = await processes.rough()
    try:
        plain = await host.ask(method, params)
    except Failed as failed:
        raise Unproven(str(failed)) from None
    more = await host.ask(method, {**params, "x_new": {"deep": [1]}, "x_null": None})
    if (plain.error is None) != (more.error is None):
        raise Failed(f"{method} got {plain}, and with unknown members {more}")


@check("hostile.second-initialize")
async def second_initialize(processes: Processes) -> None:
    """Initializes an initialized process, then asks the kind's harmless request."""
    host = await processes.rough()
    await host.initialize()
    await require_alive(host, "after a second initialize")


@check("hostile.quiet-stderr")
async def quiet_stderr(processes: Processes, patience: Patience) -> None:
    """Sends 1,000 malformed lines and counts what comes on standard error."""
    host = await processes.rough()
    await _given_alive(host)
    before = host.process.stderr_bytes
    host.raw(b"this is no message\n" * _GARBAGE_LINES)
    try:
        await host.ask("$/ping", within_s=4 * patience.answer_s)  # how fast it drops them is not the question
    except Failed as failed:
        raise Unproven(str(failed)) from None
    written = host.process.stderr_bytes - before
    if written > _MAX_STDERR_BYTES:
        raise Failed(f"{_GARBAGE_LINES} malformed lines made it write {written:,} bytes to standard error")


def _required(method: str) -> Sequence[str]:
    """The members without which params of `method` are wrong."""
    types = oracle.method_types(method)
    return [] if types is None else [*oracle.definition(types.params).get("required", [])]


async def _given_alive(host: Host) -> Reply:
    try:
        return await host.ask("$/ping")
    except Failed as failed:
        raise Unproven(str(failed)) from None
