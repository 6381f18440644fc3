"""`/conversations` and what lies below: the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.ids import mint
from agent_framework_hosting.parsing.checks import Check, array, is_object, metadata
from agent_framework_hosting.parsing.policy import CallerInstructions
from agent_framework_hosting.parsing.refusals import missing, unknown_parameter, unsupported_content, wrong_value

from ._conversation import Conversations
from ._inbound.input import REFERENCE, read_input, reference_of
from ._inbound.listing import listed
from ._inbound.policy import refuse_instructions
from ._objects import Conversation, DeletedConversation, ItemList
from ._operation import Call
from ._paging import cut, listing
from ._query import Query

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

MOST_ITEMS: Final = 20
"""Items that are added at a time, as OpenAI has it."""
CREATED: Final[Mapping[str, Check]] = {"items": array, "metadata": metadata}
"""What a conversation is created with."""
UPDATED: Final[Mapping[str, Check]] = {"metadata": metadata}
"""What of a conversation can be changed."""
ADDED: Final[Mapping[str, Check]] = {"items": array}
"""What is added to a conversation."""
_DECISION: Final = "mcp_approval_response"
NOT_ADDED: Final = (REFERENCE, _DECISION)
"""Kinds of items that are input alone."""


class ConversationEndpoints:
    """Creates, reads, changes and deletes conversations and their items."""

    def __init__(self, context: ChannelContext, *, caller_instructions: CallerInstructions) -> None:
        self._conversations = Conversations(context)
        self._limits = context.limits
        self._caller_instructions: CallerInstructions = caller_instructions

    async def create(self, call: Call) -> Conversation:
        """Make a conversation."""
        fields = _fields(await call.body(), CREATED)
        items = self._items(fields.get("items", []), call)
        return await self._conversations.create(fields.get("metadata", {}), items)

    async def retrieve(self, call: Call) -> Conversation:
        """Return a conversation."""
        return await self._conversations.find(call.part("conversation"))

    async def update(self, call: Call) -> Conversation:
        """Change a conversation's metadata."""
        body = await call.body()
        fields = _fields(body, UPDATED)
        if "metadata" not in body:
            raise missing("metadata")
        return await self._conversations.update(call.part("conversation"), fields.get("metadata", {}))

    async def delete(self, call: Call) -> DeletedConversation:
        """Drop a conversation."""
        conversation = call.part("conversation")
        await self._conversations.delete(conversation)
        return {"id": conversation, "object": "conversation.deleted", "deleted": True}

    async def list_items(self, call: Call) -> ItemList:
        """Return a page of what was said."""
        page, conversation = Query(call.scope).page(), call.part("conversation")
        await self._conversations.find(conversation)
        items = self._conversations.items(conversation, newest_first=page.newest_first, near=page.after)
        return await cut(items, page)

    async def create_items(self, call: Call) -> ItemList:
        """Add items to a conversation, for its next turn."""
        conversation = call.part("conversation")
        Query(call.scope)
        fields = _fields(await call.body(), ADDED)
        if not fields.get("items"):
            raise missing("items", "Send at least one item.")
        items = self._items(fields["items"], call)
        await self._conversations.find(conversation)
        await self._conversations.add(conversation, items)
        return listing(items)

    async def retrieve_item(self, call: Call) -> Mapping[str, Any]:
        """Return an item."""
        conversation = call.part("conversation")
        Query(call.scope)
        await self._conversations.find(conversation)
        return await self._conversations.item(conversation, call.part("item"))

    async def delete_item(self, call: Call) -> Conversation:
        """Take back an item that was added and not read yet."""
        conversation, item = call.part("conversation"), call.part("item")
        known = await self._conversations.find(conversation)
        if not await self._conversations.remove_added(conversation, item):
            await self._conversations.item(conversation, item)
            raise InvalidRequest(
                "This item cannot be deleted: the agent has read or said it, and remembers it. Only items that were "
                "added to a conversation can be, until a response reads them.",
                param="item_id",
                code="item_in_use",
            )
        return known

    def _items(self, given: list[Any], call: Call) -> list[dict[str, Any]]:
        """Return items as they are kept, once they have been found to be readable."""
        if len(given) > MOST_ITEMS:
            raise wrong_value("items", f"have at most {MOST_ITEMS} items at a time")
        for index, item in enumerate(given):
            kind = item.get("type") if is_object(item) else None
            if reference_of(item) is not None or kind in NOT_ADDED:
                raise unsupported_content(f"items[{index}]", kind if isinstance(kind, str) else REFERENCE)
        history = read_input(given, limits=self._limits, name="items")
        ignored = refuse_instructions(history, caller_instructions=self._caller_instructions)
        if ignored:
            call.headers.append((b"x-ignored-parameters", ", ".join(ignored).encode()))
        return listed(given, response_id=mint("resp_"), keeps_ids=False)


def _fields(body: Mapping[str, Any], known: Mapping[str, Check]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in body.items():
        check = known.get(name)
        if check is None:
            raise unknown_parameter(name)
        if value is not None:
            fields[name] = check(value, name)
    return fields
