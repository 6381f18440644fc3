"""From a request's bytes to a value, or to a refusal that names the place. A mistake of the caller's ends here.

| field | JSON body | text body |
|---|---|---|
| `input` | text, messages, or what the workflow takes | the body |
| `responses` | answers to what was asked before | - |
| `session_id` | the member, else the header `x-session-id` | the header |
| `stream` | the member, else the header `Accept` | the header |
| `metadata` | the member | - |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET

from agent_framework_hosting.errors import InvalidRequest, RequestError, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.parsing.refusals import missing, unknown_parameter, wrong_value

from ..vocabulary import InvocationBody, Reply
from .conversion import convert

SESSION_ID: Final = re.compile(r"[!-~]{1,256}")
"""What a session can be called."""
_HEADER: Final = "x-session-id"
_INPUT: Final = ("prompt", "message", "messages", "query", "text", "data")
"""What other servers call the input."""
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(InvocationBody))


class UnsupportedBody(RequestError):
    """The body is of a kind that this server does not read."""

    code = "unsupported_media_type"
    status = 415


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRequest:
    """What was asked.

    Args:
        body: What hooks get as `protocol_request`: the decoded object, or the text.
        input: The input as it came; `UNSET` when the request answers instead.
        replies: The answers to what was asked before.
        session_id: Which session to go on with.
        session_at: Where that is said.
        stream: Whether events are wanted.
        metadata: For hooks.
    """

    body: Any
    input: Any
    replies: tuple[Reply, ...]
    session_id: str | None
    session_at: str
    stream: bool
    metadata: Mapping[str, Any]


def read_request(data: bytes, *, headers: Mapping[str, str], limits: Limits) -> InvocationRequest:
    """Read a request.

    Args:
        data: The body.
        headers: The headers, by their names in lower case.
        limits: Bounds of depth and count.

    Raises:
        InvalidRequest: Something is wrong with it.
        RequestTooLarge: It is more than the limits allow.
        UnsupportedBody: It is neither JSON nor text.
    """
    body = _text(data) if _is_text(headers.get("content-type", "")) else decode(data, max_depth=limits.max_json_depth)
    fields = InvocationBody(input=body) if isinstance(body, str) else _fields(body)
    for name, items in (("input", fields.input), ("responses", fields.responses)):
        if is_list(items) and len(items) > limits.max_input_items:
            raise RequestTooLarge(
                f"'{name}' has more items than the {limits.max_input_items} that this server takes.", param=name
            )
    session_id, session_at = _session(fields.session_id, headers.get(_HEADER))
    return InvocationRequest(
        body=body,
        input=fields.input,
        replies=_replies(fields),
        session_id=session_id,
        session_at=session_at,
        stream=wants_events(headers.get("accept", "")) if fields.stream is None else fields.stream,
        metadata=fields.metadata or {},
    )


def wants_events(accept: str) -> bool:
    """Whether an `Accept` header asks for events; one that would take JSON as well gets JSON."""
    kinds = {_essence(part) for part in accept.split(",")}
    return "text/event-stream" in kinds and "application/json" not in kinds


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _is_text(content_type: str) -> bool:
    kind = _essence(content_type)
    if kind == "text/plain":
        return True
    if kind in ("", "application/json") or kind.endswith("+json"):
        return False
    raise UnsupportedBody(
        "The request body must be application/json, or text/plain for a message alone. Set the header Content-Type.",
        param="Content-Type",
    )


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The request body is not UTF-8: byte {error.start} cannot be read.") from None
    if not text.strip():
        raise InvalidRequest("The request body is empty; send a message.")
    return text


def _fields(body: dict[str, Any]) -> InvocationBody:
    for name in body:
        if name not in _KNOWN:
            raise unknown_parameter(name, "What is to be answered is called 'input'." if name in _INPUT else "")
    fields: InvocationBody = convert(body, InvocationBody)
    if fields.input is None:
        fields.input = UNSET
    return fields


def _replies(fields: InvocationBody) -> tuple[Reply, ...]:
    replies = tuple(fields.responses or ())
    if fields.input is UNSET:
        if not replies:
            raise missing("input", "Send what is to be answered, or 'responses' to what was asked.")
    elif replies:
        raise wrong_value("responses", "be sent alone; send new input in a request of its own")
    seen: set[str] = set()
    for index, reply in enumerate(replies):
        at = f"responses[{index}]"
        if (reply.approved is UNSET) == (reply.data is UNSET):
            raise wrong_value(at, "have either 'approved' or 'data'")
        if not reply.request_id:
            raise wrong_value(f"{at}.request_id", "not be empty")
        if reply.request_id in seen:
            raise wrong_value(f"{at}.request_id", "differ from those before")
        seen.add(reply.request_id)
    return replies


def _session(given: str | None, header: str | None) -> tuple[str | None, str]:
    if given is not None and header is not None and given != header:
        raise wrong_value("session_id", "be the same in the body and in the header x-session-id")
    param = _HEADER if given is None and header is not None else "session_id"
    session_id = given if given is not None else header
    # It is told in a header, too.
    if session_id is not None and not SESSION_ID.fullmatch(session_id):
        raise wrong_value(param, "have 1 to 256 visible ASCII characters, without spaces")
    return session_id, param
