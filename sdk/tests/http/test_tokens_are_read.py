"""The token comes from the environment, as an operator writes it there."""

from __future__ import annotations

from animus_sdk.http.config import HttpConfig, token_of


def test_blanks_around_a_token_do_not_belong_to_it() -> None:
    config = HttpConfig(token_env="PAGE_TOKEN")
    assert token_of(config, {"PAGE_TOKEN": " a-token-of-many-letters\n"}) == "a-token-of-many-letters"
