"""`POST /responses/compact`: a conversation in one item, to begin another one with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.ids import mint
from agent_framework_hosting.parsing.checks import Check, is_list
from agent_framework_hosting.parsing.refusals import missing, unknown_parameter

from ._inbound.compaction import pack
from ._inbound.fields import FIELDS
from ._inbound.input import read_input, unpacked
from ._inbound.listing import listed
from ._operation import Call
from ._references import find_referenced
from ._window import Window

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

    # The types of all that is sent are read by the document alone.
    from ._outbound.vocabulary import CompactedResponse, CompactionItem, Usage

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
        self._window = Window(context)

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
        items = await self._window.up_to(fields.get("previous_response_id"))
        items += await self._given(body)
        if not items:
            raise missing("input", "Send items, or name what to compact in 'previous_response_id'.")
        self._window.refuse_too_many(items)
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


def _check(name: str) -> Check:
    check = COMPACTED.get(name)
    if check is None:
        raise unknown_parameter(name)
    return check
