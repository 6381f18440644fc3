"""What the floor reads and writes: types for `msgspec` to read by, and templates to write from."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from typing import Annotated, Any, Final, Literal

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Value = Annotated[str, msgspec.Meta(max_length=512)]


class Read(msgspec.Struct):
    """The body as the bare callable reads it."""

    input: Any
    model: Any = None
    stream: Any = None
    previous_response_id: Any = None
    store: Any = None


class _Text(msgspec.Struct, tag_field="type", tag="input_text", forbid_unknown_fields=True):
    text: str


class _Item(msgspec.Struct, tag_field="type", tag="message", forbid_unknown_fields=True):
    role: Literal["user", "system", "developer", "assistant"]
    content: str | list[_Text]


class Checked(msgspec.Struct, forbid_unknown_fields=True):
    """The few fields without which nothing goes, with their types."""

    input: str | list[_Item]
    model: str | None = None
    stream: bool | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None


class _Function(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Reasoning(msgspec.Struct, forbid_unknown_fields=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"] = "text"


class _Texts(msgspec.Struct):
    format: _Format = msgspec.field(default_factory=_Format)


class SaidBack(msgspec.Struct):
    """The fields that an answer says back, in their order and with what they are when they are left out."""

    service_tier: Literal["auto", "default", "flex", "priority"] = "default"
    background: Literal[False] = False
    instructions: str | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_tool_calls: Annotated[int, msgspec.Meta(ge=1)] | None = None
    metadata: Annotated[dict[_Name, _Value], msgspec.Meta(max_length=16)] = msgspec.field(
        default_factory=dict[str, str]
    )
    parallel_tool_calls: bool = True
    presence_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] = 0.0
    prompt_cache_key: _Name | None = None
    reasoning: _Reasoning = msgspec.field(default_factory=_Reasoning)
    safety_identifier: _Name | None = None
    store: bool = True
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0
    text: _Texts = msgspec.field(default_factory=_Texts)
    tool_choice: Literal["auto", "none", "required"] | dict[str, str] = "auto"
    tools: list[_Function] = msgspec.field(default_factory=list[_Function])
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    truncation: Literal["auto", "disabled"] = "disabled"


class All(SaidBack, forbid_unknown_fields=True, kw_only=True):
    """All fields, each in its bounds."""

    input: str | list[_Item]
    model: str | None = None
    stream: bool | None = None
    previous_response_id: str | None = None


Fields = Read | Checked | All
USUAL: Final = _encode(SaidBack())[1:]
"""What an answer says back when nothing but its text was asked for: the rest of its object."""

_RESPONSE: Final = (
    b'{"id":"resp_%b","object":"response","created_at":%d,"completed_at":%b,"status":"%b","incomplete_details":%b,'
    b'"error":%b,"model":%b,"previous_response_id":%b,"output":[%b],"usage":%b,%b'
)
_PART: Final = b'{"type":"output_text","text":%b,"annotations":[],"logprobs":[]}'
_ITEM: Final = b'{"id":"msg_%b","type":"message","status":"%b","role":"assistant","content":[%b]}'
_WHERE: Final = b'"item_id":"msg_%b","output_index":0,"content_index":0'
_OPENING: Final = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":%b}\n\n'
    b'event: response.in_progress\ndata: {"type":"response.in_progress","sequence_number":1,"response":%b}\n\n'
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":2,'
    b'"output_index":0,"item":%b}\n\n'
    b'event: response.content_part.added\ndata: {"type":"response.content_part.added","sequence_number":3,%b,"part":%b}'
    b"\n\n"
)
_DELTA: Final = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",%b,"logprobs":[],'
    b'"sequence_number":%%d,"delta":%%b}\n\n'
)
_CLOSING: Final = (
    b'event: response.output_text.done\ndata: {"type":"response.output_text.done","sequence_number":%d,%b,"text":%b,'
    b'"logprobs":[]}\n\n'
    b'event: response.content_part.done\ndata: {"type":"response.content_part.done","sequence_number":%d,%b,"part":%b}'
    b"\n\n"
    b'event: response.output_item.done\ndata: {"type":"response.output_item.done","sequence_number":%d,'
    b'"output_index":0,"item":%b}\n\n'
)
_LAST: Final = (
    b'event: response.%b\ndata: {"type":"response.%b","sequence_number":%d,"response":%b}\n\ndata: [DONE]\n\n'
)
_EMPTY: Final = _PART % b'""'
FAILED: Final = b'{"code":"server_error","message":"The agent failed."}'
_CUT_SHORT: Final = b'{"reason":"max_output_tokens"}'


def _ids() -> Generator[bytes]:
    # One call of the system gives many of them; a process that forks would have to begin anew.
    while True:
        drawn = os.urandom(4096).hex().encode()
        for at in range(0, len(drawn), 32):
            yield drawn[at : at + 32]


mint: Final = _ids().__next__
"""Return 128 random bits as they stand in ids."""


class Said:
    """The answer to one request, as JSON.

    Args:
        asked: The request's fields.
        back: Those that are said back, as the rest of the object.
    """

    __slots__ = ("_asked", "_back", "_created", "_model", "_where", "id", "item_id", "template")

    def __init__(self, asked: Fields, back: bytes) -> None:
        self.id = mint()
        self._asked = asked
        self._back = back
        self._created = int(time.time())
        self._model = b'"stub"' if asked.model is None else _encode(asked.model)

    def whole(self, text: bytes, *, status: bytes = b"completed", usage: bytes = b"null") -> bytes:
        """Return the response with this text, which is JSON."""
        return self._response(status, _ITEM % (self.id, _item_status(status), _PART % text), usage)

    def opening(self) -> bytes:
        """Return the events before the first delta, and have a template for deltas."""
        self._where = where = _WHERE % self.id
        self.template = _DELTA % where
        response = self._response(b"in_progress", b"", b"null")
        return _OPENING % (response, response, _ITEM % (self.id, b"in_progress", b""), where, _EMPTY)

    def closing(self, text: bytes, number: int, *, status: bytes, usage: bytes) -> tuple[bytes, bytes]:
        """Return the response, and the events after the last delta."""
        where, part = self._where, _PART % text
        item = _ITEM % (self.id, _item_status(status), part)
        response = self._response(status, item, usage)
        events = _CLOSING % (number, where, text, number + 1, where, part, number + 2, item)
        return response, events + _LAST % (status, status, number + 3, response)

    def failed(self, number: int) -> bytes:
        """Return the event of an answer that failed."""
        return _LAST % (b"failed", b"failed", number, self._response(b"failed", b"", b"null"))

    def _response(self, status: bytes, item: bytes, usage: bytes) -> bytes:
        before, is_open = self._asked.previous_response_id, status == b"in_progress"
        return _RESPONSE % (
            self.id,
            self._created,
            b"null" if is_open or status == b"failed" else b"%d" % time.time(),
            status,
            _CUT_SHORT if status == b"incomplete" else b"null",
            FAILED if status == b"failed" else b"null",
            self._model,
            b"null" if before is None else _encode(before),
            item,
            usage,
            self._back,
        )


def _item_status(status: bytes) -> bytes:
    return b"completed" if status == b"completed" else b"incomplete"


def used(details: Any) -> bytes:
    """Return what an answer has used, as the protocol tells it."""
    if not details:
        return b"null"
    given, made = details.get("input_token_count") or 0, details.get("output_token_count") or 0
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,'
        b'"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}'
    ) % (given, made, details.get("total_token_count") or given + made)
