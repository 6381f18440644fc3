"""Conversations: a session of its own each, with a name that the client knows it by.

A conversation is a document; what was said in it are the turns of its session. Items that a client adds are documents
until the next turn reads them: that turn's record holds them from then on.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from agent_framework_hosting.errors import RequestTooLarge, StateUnavailable, UnknownId
from agent_framework_hosting.ids import mint
from agent_framework_hosting.kept import KeptDocument, KeptRecord
from agent_framework_hosting.logs import logger
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON

from ._item_ids import response_id_of
from ._objects import Conversation
from ._record import conversation_of, input_of, output_of, taken_of

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

_CONVERSATION: Final = "responses.conversation"
_ITEM: Final = "responses.item"
_BATCH: Final = 50


class Standing(NamedTuple):
    """Where a conversation stands: the record of its newest turn, and what was added to it since.

    `is_known` is false when the record was deleted, or is another channel's: nobody can say then what that turn has
    left open.
    """

    record: JSON
    is_known: bool
    added: Sequence[KeptDocument]

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items that were added."""
        return [cast("dict[str, Any]", each.body) for each in self.added]

    @property
    def taken(self) -> int:
        """The number of the last item that is read with the next turn."""
        return self.added[-1].number if self.added else taken_of(self.record)


class Conversations:
    """The conversations of whoever is calling."""

    def __init__(self, context: ChannelContext) -> None:
        self._documents = context.documents
        self._records = context.records
        self._read_record = context.read_record
        self._limits = context.limits

    async def create(self, metadata: Mapping[str, str], items: Sequence[Mapping[str, Any]]) -> Conversation:
        """Make a conversation; the items have their ids."""
        conversation = mint("conv_")
        body = {"created_at": int(time.time()), "metadata": metadata}
        await self._documents.add(_CONVERSATION, conversation, [(conversation, body)])
        if items:
            await self._documents.add(_ITEM, conversation, [(item["id"], item) for item in items])
        return _object(conversation, body)

    async def find(self, conversation: str) -> Conversation:
        """Return a conversation.

        Raises:
            UnknownId: There is none of that id for this caller.
        """
        found = await self._documents.find(_CONVERSATION, conversation)
        if found is None:
            raise _unknown(conversation)
        return _object(conversation, cast("Mapping[str, Any]", found.body))

    async def update(self, conversation: str, metadata: Mapping[str, str]) -> Conversation:
        """Give a conversation other metadata, and return it; raises as `find`."""
        known = await self.find(conversation)
        body = {"created_at": known["created_at"], "metadata": metadata}
        if not await self._documents.replace(_CONVERSATION, conversation, body):
            raise _unknown(conversation)
        return _object(conversation, body)

    async def delete(self, conversation: str) -> None:
        """Drop a conversation, and what was added to it; its responses stay, and can be continued.

        Raises:
            UnknownId: There is none of that id for this caller.
        """
        if not await self._documents.remove(_CONVERSATION, conversation):
            raise _unknown(conversation)
        await self._documents.discard(_ITEM, conversation)

    async def add(self, conversation: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Add items, which have their ids, for the next turn to read.

        Raises:
            RequestTooLarge: More would wait for it than an input may have.
        """
        waiting = (await self.standing(conversation)).added
        if len(waiting) + len(items) > self._limits.max_input_items:
            raise RequestTooLarge(
                f"{len(waiting)} items wait in this conversation to be read; this server keeps "
                f"{self._limits.max_input_items}. Create a response, which reads them.",
                param="items",
            )
        await self._documents.add(_ITEM, conversation, [(item["id"], item) for item in items])

    async def standing(self, conversation: str) -> Standing:
        """Return where a conversation stands now."""
        newest = await self._records.newest(conversation)
        record = newest.record if newest is not None and conversation_of(newest.record) == conversation else None
        added = await self._documents.listed(
            _ITEM, conversation, after=taken_of(record), limit=self._limits.max_input_items
        )
        return Standing(record, newest is None or record is not None, added)

    async def drop_read(self, conversation: str, *, until: int) -> None:
        """Drop the items that a committed turn holds from now on; those that stay are passed over all the same."""
        try:
            await self.discard_read(conversation, until=until)
        except StateUnavailable:
            logger.warning("Items of a conversation that were read stay where they are for now.")

    async def discard_read(self, conversation: str, *, until: int) -> None:
        """Drop the items that a turn has read whose record is about to go: nothing else tells that they were read."""
        if until:
            await self._documents.discard(_ITEM, conversation, until=until)

    async def remove_added(self, conversation: str, item_id: str) -> bool:
        """Drop an item that was added and not read yet; says whether there was one."""
        known = {item["id"] for item in (await self.standing(conversation)).items}
        return item_id in known and await self._documents.remove(_ITEM, item_id)

    async def item(self, conversation: str, item_id: str) -> dict[str, Any]:
        """Return an item.

        Raises:
            UnknownId: There is none of that id in the conversation.
        """
        async for item in self.items(conversation, newest_first=False, near=item_id):
            if item["id"] == item_id:
                return item
        raise UnknownId(
            f"Item with id '{shown(item_id)}' not found in conversation '{shown(conversation)}'.", param="item_id"
        )

    async def items(
        self, conversation: str, *, newest_first: bool, near: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield what was said in a conversation, in its order or the other way round.

        Args:
            conversation: The conversation.
            newest_first: The other way round.
            near: An item that is looked for: turns before its own are passed over, when that is known.
        """
        start = await self._start(conversation, near) if near else None
        if newest_first and start is None:
            for item in reversed((await self.standing(conversation)).items):
                yield item
        async for told in self._turns(conversation, start=start, newest_first=newest_first):
            items = [*input_of(told.record), *output_of(told.record)]
            for item in reversed(items) if newest_first else items:
                yield item
        if not newest_first:
            for item in (await self.standing(conversation)).items:
                yield item

    async def records(self, conversation: str) -> AsyncIterator[JSON]:
        """Yield the records of a conversation's turns, in their order."""
        async for told in self._turns(conversation, start=None, newest_first=False):
            yield told.record

    async def _turns(self, conversation: str, *, start: str | None, newest_first: bool) -> AsyncIterator[KeptRecord]:
        last: str | None = None
        while True:
            told = await self._records.told(conversation, start=last or start, newest_first=newest_first, limit=_BATCH)
            for each in told:
                # A branch of it, begun from one of its responses, is another conversation.
                if each.turn_id != last and each.is_finished and conversation_of(each.record) == conversation:
                    yield each
            if len(told) < _BATCH:
                return
            last = told[-1].turn_id

    async def _start(self, conversation: str, item_id: str) -> str | None:
        """Return the turn of an item, when the item's id tells."""
        for response_id in response_id_of(item_id):
            try:
                record = await self._read_record(response_id)
            except UnknownId:
                continue
            if conversation_of(record) == conversation and item_id in _ids(record):
                return response_id
        return None


def _ids(record: JSON) -> set[str]:
    return {item["id"] for item in (*input_of(record), *output_of(record))}


def _object(conversation: str, body: Mapping[str, Any]) -> Conversation:
    return {
        "id": conversation,
        "object": "conversation",
        "created_at": body["created_at"],
        "metadata": body["metadata"],
    }


def _unknown(conversation: str) -> UnknownId:
    return UnknownId(f"Conversation with id '{shown(conversation)}' not found.", param="conversation_id")
