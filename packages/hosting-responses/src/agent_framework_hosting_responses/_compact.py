"""`POST /responses/compact`: a conversation in one item, to begin another one with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge, UnknownId, UnknownParent
from agent_framework_hosting.ids import mint
from agent_framework_hosting.parsing.checks import Check, is_list
from agent_framework_hosting.parsing.refusals import missing, shown, unknown_parameter
from agent_framework_hosting.types import JSON

from ._conversation import Conversations
from ._inbound.compaction import pack
from ._inbound.fields import FIELDS
from ._inbound.input import read_input, unpacked
from ._inbound.listing import listed
from ._operation import Call
from ._outbound.vocabulary import CompactedResponse, CompactionItem, Usage
from ._record import body_of, conversation_of, input_of, output_of
from ._references import find_referenced

COMPACTED: Final[Mapping[str, Check]] = {
    name: FIELDS[name]
    for name in (
        "image",
        "input",
        "instructions",
        "model",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
    )
}
"""What a compaction is asked with."""
_NO_USAGE: Final[Usage] = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
"""No model is asked."""


class Compaction:
    """Packs conversations."""

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._conversations = Conversations(context)

    async def compact(self, call: Call) -> CompactedResponse:
        """Return a conversation, and what is to follow it, as one item."""
        body = await call.body()
        fields = {name: _check(name)(value, name) for name, value in body.items() if value is not None}
        for name in body:
            _check(name)
        if "model" not in body:
            raise missing("model")
        if fields.get("instructions"):
            call.headers.append((b"x-ignored-parameters", b"instructions"))
        items = await self._window(fields.get("previous_response_id"))
        items += await self._given(body)
        if not items:
            raise missing("input", "Send items, or name what to compact in 'previous_response_id'.")
        self._refuse_too_many(items)
        compacted: CompactionItem = {"id": mint("cmp_"), "type": "compaction", "encrypted_content": pack(items)}
        return {
            "id": mint("resp_"),
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": [compacted],
            "usage": _NO_USAGE,
        }

    async def _given(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        limits = self._context.limits
        referenced = await find_referenced(body, self._context.read_records, max_items=limits.max_input_items)
        given = body.get("input")
        read_input(given, limits=limits, referenced=referenced)
        if is_list(given):
            given = [item for _, item in unpacked(given, limits, "input")]
        return listed(given, response_id=mint("resp_"), referenced=referenced)

    async def _window(self, previous: str | None) -> list[dict[str, Any]]:
        """Return what was said up to a response, as far as the client has seen it."""
        said: list[list[dict[str, Any]]] = []
        count, last = 0, previous
        while last is not None:
            record = await self._record(last, named=previous)
            conversation = conversation_of(record)
            items = await self._of_conversation(conversation, until=last) if conversation else self._items(record)
            said.append(items)
            count += len(items)
            if count > self._context.limits.max_input_items:
                self._refuse_too_many([item for part in said for item in part])
            last = None if conversation else body_of(record).get("previous_response_id")
        return [item for part in reversed(said) for item in part]

    async def _of_conversation(self, conversation: str, *, until: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        async for record in self._conversations.records(conversation):
            items += self._items(record)
            if body_of(record)["id"] == until:
                break
        return items

    def _items(self, record: JSON) -> list[dict[str, Any]]:
        said = unpacked(input_of(record), self._context.limits, "input")
        return [*(item for _, item in said), *output_of(record)]

    async def _record(self, response: str, *, named: str | None) -> JSON:
        try:
            return await self._context.read_record(response)
        except UnknownId:
            if response == named:
                raise UnknownParent(f"Previous response with id '{shown(response)}' not found.") from None
            raise InvalidRequest(
                "An earlier response of this conversation was deleted or has expired, so that it cannot be compacted "
                "whole. Send the items that you have as 'input'.",
                param="previous_response_id",
                code="conversation_incomplete",
            ) from None

    def _refuse_too_many(self, items: list[dict[str, Any]]) -> None:
        most = self._context.limits.max_input_items
        if len(items) > most:
            raise RequestTooLarge(
                f"The conversation has {len(items)} items or more; this server compacts {most}.",
                param="previous_response_id",
            )


def _check(name: str) -> Check:
    check = COMPACTED.get(name)
    if check is None:
        raise unknown_parameter(name)
    return check
