"""What an operator may set for a plugin that serves HTTP, and where it may listen.

Nothing lies below but the standard library.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from pydantic import ConfigDict, Field

from animus_protocol.errors import InvalidParams
from animus_protocol.models.base import WireModel

__all__ = ["HttpConfig", "listening_address", "token_of"]

_DEFAULT: Final = "127.0.0.1:0"
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65535
_MIN_TOKEN: Final = 16


class HttpConfig(WireModel):
    """`config` of `transport/start`.

    `allow_remote` lets it listen on other addresses than this machine's own; `allowed_hosts` are names, beside
    `localhost` and plain IP addresses, under which it may be asked; `token_env` names the environment variable with the
    token that every request has to carry.
    """

    # A misspelled `token_env` that was ignored would leave the server open to everybody.
    model_config = ConfigDict(extra="forbid")

    allow_remote: bool = False
    allowed_hosts: list[str] = Field(default_factory=list)
    token_env: str | None = None


def listening_address(bind_addr: str | None, config: HttpConfig) -> tuple[str, int]:
    """The IP address and port to listen on; port 0 lets the system choose. Raises InvalidParams."""
    match = _ADDRESS.fullmatch(bind_addr or _DEFAULT)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise InvalidParams(f"bind_addr {bind_addr!r} is no address: write it as 127.0.0.1:8080 or [::1]:8080")
    host = match["v6"] or match["name"]
    try:
        # Whether a name is this machine's own shows only when it is resolved, and that may change: so addresses only.
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise InvalidParams(f"bind_addr {bind_addr!r}: {host!r} is neither an IP address nor localhost") from None
    if not address.is_loopback and not config.allow_remote:
        raise InvalidParams(
            f"bind_addr {bind_addr!r} can be reached from other machines: set allow_remote in the plugin's config, "
            "and a token with token_env, if that is what you want"
        )
    return str(address), int(match["port"])


def token_of(config: HttpConfig, environment: Mapping[str, str]) -> str | None:
    """The token that requests must carry, if any. Raises InvalidParams when the variable is missing or too short."""
    if config.token_env is None:
        return None
    token = environment.get(config.token_env, "").strip()  # requests cannot carry blanks around it
    if len(token) < _MIN_TOKEN or not token.isascii():
        raise InvalidParams(
            f"token_env: the environment variable {config.token_env} does not hold a token of at least {_MIN_TOKEN} "
            "ASCII characters: set it, and let the plugin have it (pass_env in plugins.yaml)"
        )
    return token
