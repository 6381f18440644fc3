"""The OpenAPI document of the channel, from the tables that requests are read by and the types of what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from agent_framework_hosting._project import __version__
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.checks import Check
from agent_framework_hosting.parsing.schemas import object_of, schema_of
from agent_framework_hosting.web.error_objects import ErrorBody
from agent_framework_hosting.web.idempotency import HEADER as IDEMPOTENCY
from agent_framework_hosting.web.models import Model, ModelList
from agent_framework_hosting.web.openapi import answer, reference, server_sent
from agent_framework_hosting.web.shapes import shapes

from ._compact import COMPACTED
from ._conversations import ADDED, CREATED, MOST_ITEMS, NOT_ADDED, UPDATED
from ._counting import COUNTED
from ._inbound.fields import FIELDS, INCLUDABLE
from ._inbound.input import item_schema
from ._inbound.tools import MAX_TOOLS, choice_schema, tool_schema
from ._objects import Conversation, DeletedConversation, DeletedResponse, InputTokens, Item, ItemList
from ._outbound.event_words import EVENTS
from ._outbound.item_words import OutputItem
from ._outbound.vocabulary import CompactedResponse, Response
from ._query import LARGEST, MOST, USUAL

_JSON: Final = "application/json"
_EVENT_STREAM: Final = "text/event-stream"
_STREAM_EVENT: Final = {"$ref": "#/components/schemas/StreamEvent"}
_REQUEST_ID: Final = "x-request-id"
_ERRORS: Final = {
    400: "The request is malformed, or asks for what is not offered; `param` says where.",
    401: "Nobody knows who is calling.",
    403: "The caller may not do this.",
    404: "There is nothing of this id for this caller.",
    408: "The request did not arrive in time.",
    409: "It conflicts with what is under way, or with what was done before.",
    413: "The request is larger than the server takes.",
    415: "The body is not JSON.",
    429: "Too many requests wait.",
    500: "The run failed.",
    502: "The model's service gave no usable answer.",
    503: "The server cannot take the request now.",
    504: "The run took longer than it may.",
}
_ALWAYS: Final = (400, 401, 403, 429, 500, 503)
_WITH_BODY: Final = (408, 413, 415)
_RUNS: Final = (404, 409, 502, 504)
_RETRY: Final = (429, 503)


class _Served(NamedTuple):
    """One operation.

    Args:
        name: Its id.
        summary: What it does.
        answers: What it answers, by media type; nothing when it only refuses.
        errors: The statuses that it has beside those of every operation.
        body: The name of its body's schema.
        is_optional: Whether the body may be left out.
        parameters: What it takes behind the `?`, and as headers.
        headers: Headers of its answer, beside the request's id.
    """

    name: str
    summary: str
    answers: Mapping[str, Any] = {}
    errors: Sequence[int] = ()
    body: str = ""
    is_optional: bool = False
    parameters: Sequence[Mapping[str, Any]] = ()
    headers: Sequence[str] = ()


def _json(kind: type[Any]) -> dict[str, Any]:
    return {_JSON: reference(kind)}


def _query(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_INCLUDE: Final = _query(
    "include",
    "What would be left out otherwise; what was sent at creation is shown in any case.",
    {"type": "array", "items": {"type": "string", "enum": [*INCLUDABLE]}},
)
_PAGE: Final = (
    _query("limit", "How many items.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
    _query("order", "The oldest or the newest first.", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
    _query("after", "The id of the item behind which the page begins.", {"type": "string"}),
    _INCLUDE,
)
_REPLAY: Final = (
    _query("stream", "Whether the events are wanted.", {"type": "string", "enum": ["true", "false"]}),
    _query(
        "starting_after",
        "Of a stream, the sequence number behind which it begins.",
        {"type": "integer", "minimum": 0, "maximum": LARGEST},
    ),
    _query("include_obfuscation", "Taken; streams are not padded.", {"type": "string", "enum": ["true", "false"]}),
    _INCLUDE,
)
_CREATION: Final = _Served(
    "createResponse",
    "Answer: whole, or as events when `stream` is true. The last data line of a stream is `[DONE]`.",
    {_JSON: reference(Response), _EVENT_STREAM: _STREAM_EVENT},
    (*_WITH_BODY, *_RUNS),
    body="CreateResponse",
    parameters=(IDEMPOTENCY,),
    headers=("x-ignored-parameters", "idempotent-replayed"),
)
_RESPONSES: Final[Mapping[str, Mapping[str, _Served]]] = {
    "": {"post": _CREATION},
    "/compact": {
        "post": _Served(
            "compactResponse",
            "Pack a conversation into one item.",
            _json(CompactedResponse),
            (*_WITH_BODY, 404),
            body="CompactResponse",
            headers=("x-ignored-parameters",),
        )
    },
    "/input_tokens": {
        "post": _Served(
            "countInputTokens",
            "Say how many tokens a request would begin with.",
            _json(InputTokens),
            _WITH_BODY,
            body="CountInputTokens",
            headers=("x-ignored-parameters",),
        )
    },
    "/{response_id}": {
        "get": _Served(
            "getResponse",
            "Read a response, or its events again.",
            {_JSON: reference(Response), _EVENT_STREAM: _STREAM_EVENT},
            (404,),
            parameters=_REPLAY,
        ),
        "delete": _Served("deleteResponse", "Forget a response.", _json(DeletedResponse), (404,)),
    },
    "/{response_id}/cancel": {
        "post": _Served("cancelResponse", "Stop a response of the background.", _json(Response), (404,))
    },
    "/{response_id}/input_items": {
        "get": _Served("listInputItems", "List what a response answers.", _json(ItemList), (404,), parameters=_PAGE)
    },
}
_CONVERSATIONS: Final[Mapping[str, Mapping[str, _Served]]] = {
    "": {
        "post": _Served(
            "createConversation",
            "Begin a conversation.",
            _json(Conversation),
            _WITH_BODY,
            body="CreateConversation",
            is_optional=True,
            headers=("x-ignored-parameters",),
        )
    },
    "/{conversation_id}": {
        "get": _Served("getConversation", "Read a conversation.", _json(Conversation), (404,)),
        "post": _Served(
            "updateConversation",
            "Change a conversation's metadata.",
            _json(Conversation),
            (*_WITH_BODY, 404),
            body="UpdateConversation",
        ),
        "delete": _Served(
            "deleteConversation",
            "Drop a conversation; its responses stay.",
            _json(DeletedConversation),
            (404,),
        ),
    },
    "/{conversation_id}/items": {
        "get": _Served("listItems", "List what was said.", _json(ItemList), (404,), parameters=_PAGE),
        "post": _Served(
            "createItems",
            "Add items, which the agent reads with the next response.",
            _json(ItemList),
            (*_WITH_BODY, 404),
            body="CreateItems",
            parameters=(_INCLUDE,),
            headers=("x-ignored-parameters",),
        ),
    },
    "/{conversation_id}/items/{item_id}": {
        "get": _Served("getItem", "Read an item.", _json(Item), (404,), parameters=(_INCLUDE,)),
        "delete": _Served("deleteItem", "Take back an item that was not read yet.", _json(Conversation), (404,)),
    },
}
_MODELS: Final[Mapping[str, Mapping[str, _Served]]] = {
    "": {"get": _Served("listModels", "List the one model: the agent.", _json(ModelList))},
    "/{model}": {"get": _Served("getModel", "Read the model.", _json(Model), (404,))},
}


def document(*, responses: str, conversations: str, models: str | None, limits: Limits, name: str) -> dict[str, Any]:
    """Return the document.

    Args:
        responses: The path of responses.
        conversations: The path of conversations.
        models: The path of the models, if they are listed.
        limits: The host's bounds.
        name: What is served.
    """
    groups = [(responses, _RESPONSES), (conversations, _CONVERSATIONS)]
    if models is not None:
        groups.append((models, _MODELS))
    paths = {at + below or "/": _path(below, operations) for at, group in groups for below, operations in group.items()}
    return {
        "info": {"title": name, "version": __version__},
        "paths": paths,
        "components": {"schemas": _schemas(limits)},
    }


def _path(below: str, operations: Mapping[str, _Served]) -> dict[str, Any]:
    names = [part[1:-1] for part in below.split("/") if part.startswith("{")]
    described: dict[str, Any] = {method: _operation(served) for method, served in operations.items()}
    if names:
        text = {"type": "string", "minLength": 1}
        described["parameters"] = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    return described


def _operation(served: _Served) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": served.name, "summary": served.summary}
    if served.parameters:
        described["parameters"] = [*served.parameters]
    if served.body:
        schema = {"$ref": f"#/components/schemas/{served.body}"}
        described["requestBody"] = {"required": not served.is_optional, "content": {_JSON: {"schema": schema}}}
    answers: dict[str, Any] = {}
    if served.answers:
        answers["200"] = answer("Done.", served.answers, headers=[_REQUEST_ID, *served.headers])
    for status in sorted({*_ALWAYS, *served.errors}):
        headers = [_REQUEST_ID, *(["retry-after"] if status in _RETRY else [])]
        answers[str(status)] = answer(_ERRORS[status], _json(ErrorBody), headers=headers)
    return {**described, "responses": answers}


def _schemas(limits: Limits) -> dict[str, Any]:
    kinds = [Response, OutputItem, ErrorBody, ItemList, Item, Conversation, DeletedConversation, DeletedResponse]
    named = shapes([*kinds, CompactedResponse, InputTokens, Model, ModelList, *EVENTS.values()])
    named |= {name: _event(name, named[fields.__name__]) for name, fields in EVENTS.items()}
    refer = "#/components/schemas/"
    events = [server_sent(name, {"$ref": f"{refer}{name}"}) for name in EVENTS]
    end = {"type": "object", "properties": {"data": {"const": "[DONE]"}}, "required": ["data"]}
    named["StreamEvent"] = {"oneOf": [*events, end]}
    named["InputItem"] = item_schema()
    named["AddedItem"] = item_schema(without=NOT_ADDED)
    items = {"type": "array", "maxItems": limits.max_input_items, "items": {"$ref": f"{refer}InputItem"}}
    added = {"type": "array", "maxItems": MOST_ITEMS, "items": {"$ref": f"{refer}AddedItem"}}
    known: dict[str, dict[str, Any]] = {
        "input": {"anyOf": [{"type": "string"}, items]},
        "tools": {"type": "array", "maxItems": MAX_TOOLS, "items": tool_schema()},
        "tool_choice": choice_schema(),
    }
    goes_on = {"anyOf": [_given("input"), _given("previous_response_id"), _given("conversation")]}
    named["CreateResponse"] = {
        **_fields(FIELDS, known),
        **goes_on,
        "not": _both("previous_response_id", "conversation"),
    }
    named["CountInputTokens"] = {
        **_fields(COUNTED, known),
        **goes_on,
        "not": _both("previous_response_id", "conversation"),
    }
    named["CompactResponse"] = {
        **_fields(COMPACTED, known),
        "required": ["model"],
        "anyOf": [_given("input"), _given("previous_response_id")],
    }
    named["CreateConversation"] = _fields(CREATED, {"items": added})
    named["UpdateConversation"] = {**_fields(UPDATED, {}), "required": ["metadata"]}
    named["CreateItems"] = object_of({name: {**added, "minItems": 1} for name in ADDED}, required=tuple(ADDED))
    return named


def _fields(table: Mapping[str, Check], known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a body; `known` are the fields that other modules than the table's read."""
    return object_of({name: known.get(name) or schema_of(check) for name, check in table.items()})


def _given(name: str) -> dict[str, Any]:
    """Return a schema of what has a member that says something: neither null nor empty."""
    return {
        "required": [name],
        "properties": {name: {"type": ["string", "array", "object"], "minLength": 1, "minItems": 1}},
    }


def _both(*names: str) -> dict[str, Any]:
    return {"required": [*names], "properties": {name: {"not": {"type": "null"}} for name in names}}


def _event(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an event."""
    number = {"type": "integer", "minimum": 0}
    return {
        **fields,
        "properties": {"type": {"const": name}, "sequence_number": number, **fields["properties"]},
        "required": ["type", "sequence_number", *fields["required"]],
    }
