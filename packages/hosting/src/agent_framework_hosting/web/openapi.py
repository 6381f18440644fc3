"""OpenAPI documents from a channel's own types: what is described is what is read and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from ..errors import ConfigurationError
from ..rendering.text import to_json
from .endpoint import send_json

VERSION: Final = "3.1.0"
"""The version of OpenAPI: the first one whose schemas are JSON Schema."""

_SCHEMAS: Final = "#/components/schemas/"


def check_place(openapi: str | None) -> None:
    """Check where below a channel's path a document is to lie; `None` is nowhere.

    Raises:
        ConfigurationError: It is no path.
    """
    if openapi is not None and (not openapi.startswith("/") or "{" in openapi or openapi == "/"):
        raise ConfigurationError(
            f"openapi={openapi!r} is no path below the channel's. Use one such as '/openapi.json', or None."
        )


def reference(kind: type[Any]) -> dict[str, Any]:
    """Return a schema that refers to a type's own.

    Example:
        >>> reference(dict)
        {'$ref': '#/components/schemas/dict'}
    """
    return {"$ref": f"{_SCHEMAS}{kind.__name__}"}


def schemas(kinds: Iterable[Any]) -> dict[str, Any]:
    """Return the schemas of types and of all that they refer to, for a document's components."""
    _, named = msgspec.json.schema_components(kinds, ref_template=f"{_SCHEMAS}{{name}}")
    return named


def answer(description: str, content: Mapping[str, Any], *, headers: Sequence[str] = ()) -> dict[str, Any]:
    """Return one answer of an operation.

    Args:
        description: When it comes.
        content: The schema of its body, by media type.
        headers: Names of headers that it has.
    """
    described: dict[str, Any] = {
        "description": description,
        "content": {kind: {"schema": schema} for kind, schema in content.items()},
    }
    if headers:
        described["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return described


def server_sent(event: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a server-sent event whose data is JSON, as OpenAPI describes such since its version 3.2.

    Args:
        event: Its name.
        data: The schema of its data.
    """
    written = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {"type": "object", "properties": {"event": {"const": event}, "data": written}, "required": ["event", "data"]}


class OpenApiDocument:
    """Serves a document. It is made with each request: what is served is known once the host has started.

    Args:
        make: Returns the document without its version and servers: `info`, `paths`, `components`.
    """

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - part of an operation
        send: Send,
        *,
        request_id: bytes,
    ) -> None:
        """Answer one request; see `endpoint.Operation`."""
        document = {"openapi": VERSION, "servers": [{"url": scope.get("root_path") or "/"}], **self._make()}
        await send_json(send, 200, to_json(document), request_id=request_id, headers=[])
