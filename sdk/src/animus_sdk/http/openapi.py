"""The API as an OpenAPI 3.1 document, made of the table of routes and the wire models.

Below lie `routes.py` and pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from animus_protocol.models.control.daemon import DaemonEvent
from animus_protocol.models.log_storage import LogEntry
from animus_sdk.http.routes import FEEDS, ROUTES, Feed, HttpRoute, Source

__all__ = ["openapi_document"]

_REFERENCE: Final = "#/components/schemas/"
_ITEMS: Final = {"daemon/events": DaemonEvent, "daemon/logs": LogEntry}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["category", "message"],
            "properties": {name: {"type": "string"} for name in ("category", "message", "hint")},
        }
    },
}
_REFUSED: Final = {
    "description": "Refused",
    "content": {"application/json": {"schema": {"$ref": f"{_REFERENCE}Error"}}},
}


class _Schemas(NamedTuple):
    """The schema of every type of the table, and the definitions that they refer to."""

    of: Mapping[Any, dict[str, Any]]
    definitions: dict[str, Any]

    def object_of(self, kind: type, without: set[str]) -> dict[str, Any]:
        """The schema of a model, itself and not a reference to it, without the fields in `without`."""
        schema = self.of[kind]
        schema = self.definitions[schema["$ref"].removeprefix(_REFERENCE)] if "$ref" in schema else schema
        left = {name: value for name, value in schema.get("properties", {}).items() if name not in without}
        required = [name for name in schema.get("required", []) if name not in without]
        return {"type": "object", "properties": left, **({"required": required} if required else {})}


def openapi_document(version: str) -> dict[str, Any]:
    """The document; `version` is that of the plugin that serves it."""
    schemas = _schemas()
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(_path(route.path), {})[route.verb.lower()] = _operation(route, schemas)
    for feed in FEEDS:
        paths[_path(feed.path)] = {"get": _feed(feed, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Animus", "version": version},
        "paths": paths,
        "components": {"schemas": {**schemas.definitions, "Error": _ERROR}},
    }


def _schemas() -> _Schemas:
    answers = [kind for route in ROUTES for kind in (route.given, route.method.result)]
    numbered: list[Any] = list(dict.fromkeys([*answers, *_ITEMS.values(), *(feed.method.params for feed in FEEDS)]))
    made, rest = TypeAdapter.json_schemas(
        [(number, "validation", TypeAdapter[Any](kind)) for number, kind in enumerate(numbered)],
        ref_template=f"{_REFERENCE}{{model}}",
    )
    return _Schemas({numbered[number]: schema for (number, _), schema in made.items()}, rest.get("$defs", {}))


def _operation(route: HttpRoute, schemas: _Schemas) -> dict[str, Any]:
    taken = set(_names(route.path))
    parameters = [_parameter(name, "path", {"type": "string"}, required=True) for name in taken]
    operation: dict[str, Any] = {"operationId": route.method.name, "tags": [route.method.name.partition("/")[0]]}
    if route.source is Source.QUERY:
        parameters += _query(schemas.object_of(route.given, taken))
    if route.source is Source.BODY:
        body = schemas.object_of(route.given, taken)
        operation["requestBody"] = {
            "required": "required" in body,
            "content": {"application/json": {"schema": body}},
        }
    answer = {"application/json": {"schema": schemas.of[route.method.result]}}
    operation["responses"] = {str(route.status): {"description": "Done", "content": answer}, "default": _REFUSED}
    return {**operation, "parameters": parameters}


def _feed(feed: Feed, schemas: _Schemas) -> dict[str, Any]:
    item = {"text/event-stream": {"itemSchema": schemas.of[_ITEMS[feed.method.name]]}}
    parameters = _query(schemas.object_of(feed.method.params, set(feed.fixed)))
    parameters.append(_parameter("Last-Event-ID", "header", {"type": "string"}, required=False))
    return {
        "operationId": feed.method.name,
        "tags": [feed.method.name.partition("/")[0]],
        "description": "Server-sent events; the data of each is one JSON object.",
        "parameters": parameters,
        "responses": {"200": {"description": "The events", "content": item}, "default": _REFUSED},
    }


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [_parameter(name, "query", value, required=name in required) for name, value in schema["properties"].items()]


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _path(path: str) -> str:
    # Starlette's mark for ids with slashes; OpenAPI has no word for it.
    return path.replace(":path}", "}")


def _names(path: str) -> list[str]:
    return re.findall(r"\{(\w+)", path)
