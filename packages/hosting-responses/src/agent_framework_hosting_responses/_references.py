"""Items that a request refers to by their ids alone: found in the responses that this server has sent to the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.types import JSON

from ._inbound.input import Referenced, reference_of, refuse_too_many
from ._item_ids import response_id_of
from ._record import body_of, input_of, is_of_another_channel, output_of

_FAR_BACK: Final = 256
"""Responses of a conversation that are looked through for items which it holds already."""


async def find_referenced(
    body: Mapping[str, Any], read_records: Callable[[Sequence[str]], Awaitable[Mapping[str, JSON]]], *, max_items: int
) -> Referenced:
    """Return the items to which the input refers, as far as they are the caller's to see.

    An item of the conversation that is continued has no item here: it is there already, and would be told twice.

    Args:
        body: The decoded body; whatever is wrong with it is said by those who read it.
        read_records: Returns the responses with these ids, without those that are not the caller's.
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
    responses = _Responses(read_records)
    await responses.read_all([response_id for reference in wanted for response_id in response_id_of(reference)])
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

    def __init__(self, read_records: Callable[[Sequence[str]], Awaitable[Mapping[str, JSON]]]) -> None:
        self._read_records = read_records
        self._known: dict[str, JSON] = {}

    async def read(self, response_id: str) -> JSON:
        """Return the record of a response; `None` when there is none for this caller."""
        if response_id not in self._known:
            await self.read_all([response_id])
        return self._known[response_id]

    async def read_all(self, response_ids: Sequence[str]) -> None:
        """Read several at once."""
        wanted = [each for each in dict.fromkeys(response_ids) if each not in self._known]
        if not wanted:
            return
        records = await self._read_records(wanted)
        for response_id in wanted:
            record = records.get(response_id)
            self._known[response_id] = None if is_of_another_channel(record) else record

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
