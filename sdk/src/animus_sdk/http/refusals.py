"""Every way to say no: the category of a refusal, its HTTP status, and the JSON that tells it.

Below lie the errors of the protocol and of the SDK.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from animus_protocol.errors import Code, ProtocolError, RpcError
from animus_sdk.control import NoDaemon

__all__ = ["ANSWERS", "refusal"]

_log = logging.getLogger("animus.http")
_RETRY_AFTER_S: Final = "2"
_STATUS: Final = {
    "invalid_request": 400,
    "permission_denied": 403,
    "not_found": 404,
    "conflict": 409,
    "not_supported": 501,
    # This server is only the gateway: it is the daemon behind it that has failed.
    "internal": 502,
    "unavailable": 503,
}
_BY_CODE: Final[dict[int, str]] = {
    Code.INVALID_PARAMS: "invalid_request",
    # -32600 is a conflict or a missing permission (protocol §5), and that one says so by its category.
    Code.INVALID_REQUEST: "conflict",
    Code.METHOD_NOT_FOUND: "not_supported",
    Code.NOT_SUPPORTED: "not_supported",
}
_OF_HTTP: Final = {401: "permission_denied", 403: "permission_denied", 404: "not_found", 503: "unavailable"}


def refusal(
    status: int, category: str, message: str, *, hint: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    """`{"error": {"category", "message", "hint"?}}`; what is unavailable may be asked for again in 2 s."""
    error = {"category": category, "message": message, **({"hint": hint} if isinstance(hint, str) else {})}
    retry = {"retry-after": _RETRY_AFTER_S} if status == _STATUS["unavailable"] else {}
    return JSONResponse({"error": error}, status, {**retry, **(headers or {})})


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case NoDaemon():
            return refusal(503, "unavailable", str(error), hint="Is the daemon running? animus daemon status")
        case RpcError():
            return _refused_by_daemon(error)
        case HTTPException():
            message = f"no such path: {request.url.path}" if error.status_code == 404 else error.detail
            category = _OF_HTTP.get(error.status_code, "invalid_request")
            return refusal(error.status_code, category, message, headers=error.headers)
        case ClientDisconnect():
            return Response(status_code=400)  # nobody reads it
        case ProtocolError():
            _log.error("%s %s: %s", request.method, request.url.path, error)
            return refusal(502, "internal", "the daemon's answer cannot be understood; the plugin's log says more")
        case _:
            return refusal(500, "internal", "internal error; the plugin's log says more")


def _refused_by_daemon(error: RpcError) -> Response:
    given = error.category or ""
    category = given if given in _STATUS else _BY_CODE.get(error.code, "internal")
    hint = error.data.get("hint") if isinstance(error.data, dict) else None
    return refusal(_STATUS[category], category, error.message, hint=hint)


ANSWERS: Final = dict.fromkeys((RpcError, HTTPException, ClientDisconnect, ProtocolError, Exception), _answer)
"""What answers when an endpoint raises, by the exception's class, for Starlette."""
