"""The OpenAPI document of the channel: its own types, and what the target takes."""

from __future__ import annotations

from typing import Any, Final

from agent_framework_hosting._project import __version__
from agent_framework_hosting.web.openapi import answer, reference, schemas

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
    own["InvocationBody"] = _body(own["InvocationBody"], wanted)
    own["Event"] = {"oneOf": [_event(kind, data) for kind, data in _NAMED_EVENTS.items()]}
    return {
        "info": {"title": name, "version": __version__},
        "paths": {path or "/": {"post": _invoke()}},
        "components": {"schemas": {**own, **named}},
    }


def _body(schema: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the body: msgspec knows the members, and not which of them go together."""
    replies = {"type": "array", "minItems": 1, "items": reference(Reply)}
    properties = {**schema["properties"], "input": wanted, "responses": replies}
    return {**schema, "properties": properties, "oneOf": [{"required": ["input"]}, {"required": ["responses"]}]}


def _event(kind: str, data: type[Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"event": {"const": kind}, "data": reference(data)},
        "required": ["event", "data"],
    }


def _invoke() -> dict[str, Any]:
    problem = {MEDIA_TYPE: reference(Problem)}
    return {
        "operationId": "invoke",
        "summary": "Run the agent or workflow once, in a session of its own or in one that goes on.",
        "parameters": [
            _header("Idempotency-Key", "Runs the request once, however often it is sent."),
            _header("x-session-id", "The session, where the body does not say it."),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": reference(InvocationBody)},
                "text/plain": {"schema": {"type": "string", "minLength": 1}},
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


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
