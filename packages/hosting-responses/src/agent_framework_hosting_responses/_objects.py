"""What the endpoints answer beside responses and their streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class Item(TypedDict):
    """An item as it was sent, with an id: of an input, or of an output."""

    id: str
    type: str


class ItemList(TypedDict):
    """A page of a list; the ids of an empty one are null."""

    object: Literal["list"]
    data: Sequence[Mapping[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Conversation(TypedDict):
    """A conversation."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]


class DeletedConversation(TypedDict):
    """A conversation is gone."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class DeletedResponse(TypedDict):
    """A response is gone."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class InputTokens(TypedDict):
    """How many tokens a request would begin with."""

    object: Literal["response.input_tokens"]
    input_tokens: int
