"""What was said in a conversation, as its client has seen it: the items of its requests and of its responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge, UnknownId, UnknownParent
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON

from ._conversation import Conversations
from ._inbound.input import unpacked
from ._record import body_of, conversation_of, input_of, output_of

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext


class Window:
    """Reads conversations back from their records."""

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._conversations = Conversations(context)

    async def up_to(self, previous: str | None) -> list[dict[str, Any]]:
        """Return what was said up to a response, as far as the client has seen it."""
        said: list[list[dict[str, Any]]] = []
        count, last = 0, previous
        while last is not None:
            record = await self._record(last, named=previous)
            conversation = conversation_of(record)
            items = await self.of_conversation(conversation, until=last) if conversation else self._items(record)
            said.append(items)
            count += len(items)
            if count > self._context.limits.max_input_items:
                self.refuse_too_many([item for part in said for item in part])
            last = None if conversation else body_of(record).get("previous_response_id")
        return [item for part in reversed(said) for item in part]

    async def of_conversation(self, conversation: str, *, until: str | None = None) -> list[dict[str, Any]]:
        """Return what was said in a conversation, up to a response or to its end."""
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

    def refuse_too_many(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Raise when there are more than an input may have.

        Raises:
            RequestTooLarge: There are.
        """
        most = self._context.limits.max_input_items
        if len(items) > most:
            raise RequestTooLarge(
                f"The conversation has {len(items)} items or more; this server takes {most}.",
                param="previous_response_id",
            )
