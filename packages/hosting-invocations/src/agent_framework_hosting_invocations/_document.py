"""The OpenAPI document of the channel: its own types, and what the target takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent_framework_hosting._project import __version__
from agent_framework_hosting.web.idempotency import HEADER as IDEMPOTENCY
from agent_framework_hosting.web.openapi import answer, reference, schemas, server_sent

from ._inbound.messages import FILE_TYPE
from ._inbound.request import SESSION_ID
from ._inbound.target_input import TargetInput
from ._problems import MEDIA_TYPE
from .vocabulary import (
    Delta,
    InputMessage,
    Invocation,
    InvocationBody,
    MessageBegun,
    Problem,
    Question,
    Reply,
    Started,
    Text,
    WholePart,
)

_EVENTS: Final = "text/event-stream"
_NAMED_EVENTS: Final = {
    "started": Started,
    "message": MessageBegun,
    "delta": Delta,
    "part": WholePart,
    "request": Question,
    "completed": Invocation,
    "input_required": Invocation,
    "failed": Invocation,
    "cancelled": Invocation,
}
_ERRORS: Final = {
    "400": "The request is malformed, or does not fit what is served; `param` says where.",
    "401": "Nobody knows who is calling.",
    "403": "The caller may not do this.",
    "404": "The session is unknown, has expired, or is another caller's.",
    "408": "The request did not arrive in time.",
    "409": "The session is busy, or the idempotency key is in use or stands for another request.",
    "413": "The request is larger than the server takes.",
    "415": "The body is neither JSON nor text.",
    "429": "Too many requests wait for this session.",
    "500": "The run failed.",
    "502": "The model's service gave no usable answer.",
    "503": "The server cannot take the request now.",
}
_SESSION: Final = {
    "name": "x-session-id",
    "in": "header",
    "description": "The session, where the body does not say it.",
    "schema": {"type": "string", "pattern": f"^{SESSION_ID.pattern}$"},
}
_AGENT_INPUT: Final = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": reference(InputMessage)},
    ]
}


def document(*, path: str, target: TargetInput, name: str) -> dict[str, Any]:
    """Return the document.

    Args:
        path: Where the channel is.
        target: What is served, and what it takes.
        name: What to call it.
    """
    wanted, named = target.types.schema() if target.types is not None else (_AGENT_INPUT, {})
    own = schemas([InvocationBody, InputMessage, Invocation, Problem, *_NAMED_EVENTS.values()])
    own = _tightened(own, wanted)
    own["Event"] = {"oneOf": [server_sent(kind, reference(data)) for kind, data in _NAMED_EVENTS.items()]}
    return {
        "info": {"title": name, "version": __version__},
        "paths": {path or "/": {"post": _invoke()}},
        "components": {"schemas": {**own, **named}},
    }


def _tightened(own: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas with what the reader checks beyond the types of members."""
    reply, message, file, body = (own[name] for name in ("Reply", "InputMessage", "File", "InvocationBody"))
    read_file = _with(file, media_type=f"^({FILE_TYPE.pattern})$", name="^.")
    parts = {"type": "array", "items": {"anyOf": [reference(Text), {"$ref": "#/components/schemas/InputFile"}]}}
    said = {"content": {"anyOf": [{"type": "string"}, parts]}}
    message = _with(message, author="^.")
    body = _with(body, session_id=f"^{SESSION_ID.pattern}$")
    replies = {"type": ["array", "null"], "items": reference(Reply)}
    asked = {"input": {"anyOf": [wanted, {"type": "null"}]}, "responses": replies}
    return {
        **own,
        "Reply": {**_with(reply, request_id="^."), "oneOf": [{"required": ["approved"]}, {"required": ["data"]}]},
        "InputFile": {**read_file, "oneOf": [_given("url"), _given("data")]},
        "InputMessage": {**message, "properties": {**message["properties"], **said}},
        "InvocationBody": {
            **body,
            "properties": {**body["properties"], **asked},
            "oneOf": [_given("input"), _given("responses")],
        },
    }


def _with(schema: dict[str, Any], **patterns: str) -> dict[str, Any]:
    """Return the schema with patterns for the texts among its members."""
    properties = schema["properties"]
    known = {name: {**properties[name], "pattern": pattern} for name, pattern in patterns.items()}
    return {**schema, "properties": {**properties, **known}}


def _given(name: str) -> dict[str, Any]:
    """Return a schema of what has a member that is neither null nor an empty list."""
    return {"required": [name], "properties": {name: {"not": {"enum": [None, []]}}}}


def _invoke() -> dict[str, Any]:
    problem = {MEDIA_TYPE: reference(Problem)}
    return {
        "operationId": "invoke",
        "summary": "Run the agent or workflow once, in a session of its own or in one that goes on.",
        "parameters": [
            IDEMPOTENCY,
            _SESSION,
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": reference(InvocationBody)},
                "text/plain": {"schema": {"type": "string", "pattern": "\\S"}},
            },
        },
        "responses": {
            "200": answer(
                "The answer: whole, or as events when `stream` is true.",
                {"application/json": reference(Invocation), _EVENTS: {"$ref": "#/components/schemas/Event"}},
                headers=["x-request-id", "x-session-id", "idempotent-replayed"],
            ),
            **{status: answer(told, problem, headers=["x-request-id"]) for status, told in _ERRORS.items()},
        },
    }
