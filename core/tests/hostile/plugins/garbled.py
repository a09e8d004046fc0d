"""Answers with what is not valid JSON, or JSON that no machine likes; then with a good frame again."""

import sys

from plain import HELLO, requests, say

REPLY = b'{"jsonrpc": "2.0", "id": %d, "result": '
LINES = {
    "invalid_utf8": REPLY + b'{"text": "\xff\xfe\xc3\x28"}}',
    "utf16": REPLY.decode().encode("utf-16") + b"{}}",
    "deep_list": REPLY + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep_object": REPLY + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "never_closed": REPLY + b"[" * 100_000,
    "truncated": REPLY + b'{"a": [1, 2',
    "truncated_text": REPLY + b'{"a": "text',
    "nan": REPLY + b"NaN}",
    "infinity": REPLY + b'{"n": -Infinity}}',
    "nul": REPLY + b'"\x00"}',
    "two_values": REPLY + b"{}} {}",
    "single_quotes": b"{'jsonrpc': '2.0', 'id': %d, 'result': {}}",
    "huge_integer": REPLY + b"1" * 100_000 + b"}",
    "huge_exponent": REPLY + b"1e999999999}",
    "many_keys": REPLY + b"{" + b",".join(b'"%d": 1' % key for key in range(100_000)) + b"}}",
    "same_keys": REPLY + b'{"n": 1, "n": 2}, "result": {"n": 3}}',
    "half_a_pair": REPLY + b'{"text": "\\ud83d"}}',
    "no_result": b'{"jsonrpc": "2.0", "id": %d}',
    "both": REPLY + b'{"n": 1}, "error": {"code": -32603, "message": "both"}}',
    "error_is_text": b'{"jsonrpc": "2.0", "id": %d, "error": "it failed"}',
    "error_is_odd": b'{"jsonrpc": "2.0", "id": %d, "error": {"code": "x", "message": 7, "data": [1e308]}}',
}

for number, method, params in requests():
    if method in LINES:
        line = LINES[method]
        sys.stdout.buffer.write((line.replace(b"%d", b"%d" % number, 1)) + b"\n")
        sys.stdout.buffer.flush()
        continue
    say(number, HELLO if method == "initialize" else params)
