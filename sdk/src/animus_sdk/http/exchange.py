"""One request, one answer: the params out of path, query and body, the daemon's result as JSON.

Below lie the table of routes and the control client. A result is passed on as the daemon gave it, so that a newer
daemon's fields reach the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, get_origin

from pydantic_core import from_json
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from animus_protocol.errors import InvalidParams
from animus_protocol.models.base import WireModel
from animus_protocol.reading import read_params
from animus_sdk.control import Control
from animus_sdk.http.routes import HttpRoute, Source

__all__ = ["exchange", "read_query"]

_MAX_BODY_BYTES: Final = 1024 * 1024
_BODY_S: Final = 10.0
_CALL_S: Final = 30.0


def exchange(route: HttpRoute, control: Control) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of `route`. It raises RpcError and HTTPException, which others turn into answers."""

    async def endpoint(request: Request) -> Response:
        if "" in request.path_params.values():
            raise HTTPException(404)
        given = await _given(route, request)
        fields = given if route.within is None else {route.within[0]: given}
        params = read_params(route.method, {**fields, **request.path_params})
        result = await control.request(route.method.name, params, timeout_s=_CALL_S)
        return JSONResponse(result, route.status)

    return endpoint


def read_query(query: QueryParams, model: type[WireModel]) -> dict[str, Any]:
    """The query as fields of `model`: a list's field may come several times. Raises InvalidParams."""
    _refuse_unknown(dict(query), model)
    fields: dict[str, Any] = {}
    for name in query:
        values = query.getlist(name)
        is_list = get_origin(model.model_fields[name].annotation) is list
        if not is_list and len(values) > 1:
            raise InvalidParams(f"{name} is given {len(values)} times")
        fields[name] = values if is_list else values[0]
    return fields


async def _given(route: HttpRoute, request: Request) -> dict[str, Any]:
    if route.source is Source.BODY:
        given = await _read_body(request)
        _refuse_unknown(given, route.given, *request.path_params)
        return given
    return read_query(request.query_params, route.given if route.source is Source.QUERY else WireModel)


def _refuse_unknown(given: Mapping[str, Any], model: type[WireModel], *taken: str) -> None:
    """A misspelled name would otherwise be left out, and nobody would know."""
    known = [name for name in model.model_fields if name not in taken]
    for name in given:
        if name not in known:
            raise InvalidParams(f"{name} is not known here: there is {', '.join(known) or 'nothing to give'}")


async def _read_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one stands for `{}`."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    raise HTTPException(413, f"the body is over the limit of {_MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {_BODY_S:g} s") from None
    if not body:
        return {}
    # Browsers let a foreign page send forms and plain text without asking, and JSON only after a preflight request.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be JSON: Content-Type: application/json")
    try:
        given: Any = from_json(bytes(body), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidParams(f"the body is not valid JSON: {error}") from error
    if not isinstance(given, dict):
        raise InvalidParams("the body is not a JSON object")
    return given
