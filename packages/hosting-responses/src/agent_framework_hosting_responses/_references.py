"""Items that a request refers to by their ids alone: found in the responses that this server has sent to the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from agent_framework_hosting.errors import UnknownId
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.types import JSON

from ._inbound.input import Referenced, reference_of, refuse_too_many
from ._item_ids import response_id_of
from ._record import body_of, input_of, output_of

_FAR_BACK: Final = 256
"""Responses of a conversation that are looked through for items which it holds already."""


async def find_referenced(
    body: Mapping[str, Any], read_record: Callable[[str], Awaitable[JSON]], *, max_items: int
) -> Referenced:
    """Return the items to which the input refers, as far as they are the caller's to see.

    An item of the conversation that is continued has no item here: it is there already, and would be told twice.

    Args:
        body: The decoded body; whatever is wrong with it is said by those who read it.
        read_record: Returns the response with an id, or raises `UnknownId` for one that is not the caller's.
        max_items: How many items an input may have.

    Raises:
        RequestTooLarge: There are more items than that.
    """
    given = body.get("input")
    if not is_list(given):
        return {}
    wanted = {reference for item in given if (reference := reference_of(item)) is not None}
    if not wanted:
        return {}
    refuse_too_many(given, max_items)
    responses = _Responses(read_record)
    found: dict[str, Mapping[str, Any] | None] = {}
    owners: dict[str, str] = {}
    for reference in wanted:
        for response_id in response_id_of(reference):
            item = _item(await responses.read(response_id), reference)
            if item is not None:
                found[reference], owners[reference] = item, response_id
                break
    async for response_id in responses.conversation(body.get("previous_response_id"), until=owners.values()):
        for reference in [reference for reference, owner in owners.items() if owner == response_id]:
            found[reference] = None
    return found


class _Responses:
    """The caller's responses, each read once."""

    def __init__(self, read_record: Callable[[str], Awaitable[JSON]]) -> None:
        self._read_record = read_record
        self._known: dict[str, JSON] = {}

    async def read(self, response_id: str) -> JSON:
        """Return the record of a response; `None` when there is none for this caller."""
        if response_id not in self._known:
            try:
                record = await self._read_record(response_id)
            except UnknownId:
                record = None
            self._known[response_id] = record
        return self._known[response_id]

    async def conversation(self, last: object, *, until: Iterable[str]) -> AsyncIterator[str]:
        """Yield the ids of the responses of a conversation, the last one first, while some of `until` are missing."""
        missing = set(until)
        for _ in range(_FAR_BACK):
            if not missing or not isinstance(last, str):
                return
            missing.discard(last)
            yield last
            last = body_of(await self.read(last)).get("previous_response_id")


def _item(record: JSON, item_id: str) -> dict[str, Any] | None:
    return next((item for item in (*output_of(record), *input_of(record)) if item.get("id") == item_id), None)
