"""A response as a type, as it is sent; its items are in `item_words`, the events of its stream in `event_words`.

Every event and every body that the tests of this half see is held against these, so that the document that is made
from them says what is really sent.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from .item_words import OutputItem
from .words import ErrorCode, IncompleteReason, ResponseStatus


class InputTokensDetails(TypedDict):
    """Tokens that were read, more closely."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """Tokens that were written, more closely."""

    reasoning_tokens: int


class Usage(TypedDict):
    """What an answer has cost, in tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(TypedDict):
    """Why a response failed; of a refusal `reason` is the code that it has as an answer of its own."""

    code: ErrorCode
    message: str
    reason: NotRequired[str]


class IncompleteDetails(TypedDict):
    """Why a response is not whole."""

    reason: IncompleteReason


class InConversation(TypedDict):
    """The conversation that a response belongs to."""

    id: str


class ShownFunction(TypedDict):
    """A function of the caller's."""

    type: Literal["function"]
    name: str
    description: NotRequired[str | None]
    parameters: dict[str, Any] | None
    strict: bool | None


class ShownCustomTool(TypedDict):
    """A custom tool of the caller's."""

    type: Literal["custom"]
    name: str
    description: NotRequired[str]
    format: dict[str, Any]


class TextSettings(TypedDict):
    """In which form an answer is given."""

    format: dict[str, Any]
    verbosity: NotRequired[str]


class Response(TypedDict):
    """A response, whole or as far as it has come. What was not set is null."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: ResponseStatus
    incomplete_details: IncompleteDetails | None
    error: ResponseError | None
    model: str
    previous_response_id: str | None
    output: list[OutputItem]
    usage: Usage | None
    service_tier: Literal["default"]
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    presence_penalty: float
    frequency_penalty: float
    prompt_cache_key: str | None
    reasoning: dict[str, Any] | None
    safety_identifier: str | None
    store: bool
    temperature: float
    text: TextSettings
    tool_choice: str | dict[str, Any]
    tools: list[ShownFunction | ShownCustomTool]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    user: NotRequired[str]
    conversation: NotRequired[InConversation]
    prompt_cache_retention: NotRequired[str]
    prompt_cache_options: NotRequired[dict[str, Any]]


class CompactionItem(TypedDict):
    """A conversation, packed; as an item of an input it stands for what is in it."""

    id: str
    type: Literal["compaction"]
    encrypted_content: str


class CompactedResponse(TypedDict):
    """A conversation in one item."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[CompactionItem]
    usage: Usage
