"""The words of the protocol, as types: reading, rendering and the OpenAPI document are all made from these."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType


class Text(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Text."""

    text: str


class File(msgspec.Struct, tag_field="type", tag="file", forbid_unknown_fields=True, omit_defaults=True):
    """A picture, or another file: at an address, which may be a data URL, or as base64."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    name: str | None = None


class Value(msgspec.Struct, tag_field="type", tag="json"):
    """A value that a workflow gave which is no text."""

    value: Any


Part: TypeAlias = Text | File | Value
"""A part of an answer's message."""


class InputMessage(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One message of a request."""

    content: str | list[Text | File]
    role: Literal["user", "assistant"] | None = "user"
    author: str | None = None


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    """An answer to one thing that an agent or a workflow has asked: `approved` for an approval, else `data`."""

    request_id: str
    approved: bool | UnsetType = UNSET
    data: Any = UNSET


class InvocationBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request: either `input` or `responses`.

    `metadata` goes to the app's hooks as it is.
    """

    input: Any = UNSET
    responses: list[Reply] | None = None
    session_id: str | None = None
    stream: bool | None = None
    metadata: dict[str, Any] | None = None


class OutputMessage(msgspec.Struct, omit_defaults=True):
    """One message of an answer."""

    role: str
    content: list[Part]
    author: str | None = None


class Question(msgspec.Struct, omit_defaults=True):
    """What is asked before the work can go on.

    An `approval` of a tool's call is answered with `approved`. A `tool_call` is run by the caller, and a `question` is
    a workflow's own; both are answered with `data`, which for a question fits `answer_schema`.
    """

    request_id: str
    kind: Literal["approval", "tool_call", "question"]
    name: str | None = None
    arguments: Any = UNSET
    data: Any = UNSET
    answer_schema: dict[str, Any] | UnsetType = UNSET


class Usage(msgspec.Struct):
    """What the answer has cost, in tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Failure(msgspec.Struct):
    """Why there is no whole answer."""

    code: str
    detail: str


Status: TypeAlias = Literal["completed", "input_required", "failed", "cancelled"]
"""How an invocation ended; an answer that is not streamed is `completed` or `input_required`, or `failed` when the
agent itself says so."""


class Invocation(msgspec.Struct, omit_defaults=True):
    """The answer: the same whole, and as the last event of a stream.

    `output` is all text of `messages`, one after the other. `requests` are asked in this turn, and answered by
    `responses` of a later one in the same session. Without a `session_id` whoever runs the server named the session.
    """

    id: str
    session_id: str | None
    status: Status
    output: str
    messages: list[OutputMessage]
    requests: list[Question]
    usage: Usage | None
    finish_reason: str | None
    error: Failure | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """An error, as RFC 9457 has them; `param` says where in the request it lies."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    param: str | None = None


class Started(msgspec.Struct):
    """The event `started`: the first one of every stream."""

    id: str
    session_id: str | None


class MessageBegun(msgspec.Struct, omit_defaults=True):
    """The event `message`: a message begins, at this place of `messages`."""

    index: int
    role: str
    author: str | None = None


class Delta(msgspec.Struct):
    """The event `delta`: text for the part at this place of a message's `content`; the first one makes the part."""

    index: int
    part: int
    text: str


class WholePart(msgspec.Struct):
    """The event `part`: a part that is no text, whole."""

    index: int
    part: int
    content: Part
