"""Who may ask, and where a server may listen: decided before a byte of the request is used."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request

from animus_sdk import InvalidParams
from animus_sdk.http.config import HttpConfig, listening_address
from animus_sdk.http.guard import Rules, objection
from animus_sdk.http.refusals import ANSWERS


@given(st.text(alphabet="abz019.:[]@/%-", max_size=30))
def test_a_host_is_an_address_or_a_known_name_whatever_is_sent(host: str) -> None:
    headers = Headers({"host": host})
    rules = Rules(frozenset({"known.example"}), None, frozenset())
    if objection("/", headers, rules) is None:
        assert re.fullmatch(r"[0-9.]+(:[0-9]*)?|\[[ab0-9:.]+\](:[0-9]*)?", host)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("0.0.0.0:0", "can be reached from other machines: set allow_remote"),
        ("[::]:0", "can be reached from other machines"),
        ("192.0.2.1:80", "can be reached from other machines"),
        ("example.com:80", "'example.com' is neither an IP address nor localhost"),
        ("127.0.0.1", "is no address: write it as 127.0.0.1:8080"),
        ("127.0.0.1:65536", "is no address"),
        (":80", "is no address"),
        ("::1:80", "is no address"),
        ("[127.0.0.1:80", "is no address"),
    ],
)
def test_an_address_that_is_wrong_or_open_to_all_is_refused(address: str, message: str) -> None:
    with pytest.raises(InvalidParams, match="bind_addr") as refused:
        listening_address(address, HttpConfig())
    assert message in str(refused.value)


async def test_a_fault_of_ours_is_told_without_what_it_was() -> None:
    answer = await ANSWERS[Exception](Request({"type": "http"}), RuntimeError("a secret"))
    assert answer.status_code == 500
    assert json.loads(answer.body) == {
        "error": {"category": "internal", "message": "internal error; the plugin's log says more"}
    }
