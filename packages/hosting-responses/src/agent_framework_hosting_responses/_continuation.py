"""What a request continues: a response, a conversation, a chat of the platform, or nothing; and whether it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from agent_framework import Content, Message

from agent_framework_hosting.errors import InvalidRequest, UnknownId, UnknownParent
from agent_framework_hosting.ids import mint
from agent_framework_hosting.isolation import get_current_isolation_keys
from agent_framework_hosting.parsing.agent_tools import refuse_clashes, tool_names
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON, ChannelRequest, ChannelSession
from agent_framework_hosting.workflows import is_workflow

from ._inbound.history import Decision
from ._inbound.input import read_input
from ._inbound.open_calls import calls_of, check_answers
from ._inbound.request import ResponsesRequest
from ._item_ids import response_id_of
from ._record import chat_of, is_of_another_channel, is_unfinished, waiting_of
from ._settings import CreationSettings
from ._waiting import Waiting

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

    from ._accepted import AcceptedResponses
    from ._conversation import Conversations, Standing

_UNKNOWN_CONVERSATION: Final = "conversation_not_found"


class Begun(msgspec.Struct, frozen=True):
    """A turn of a conversation as it begins: the request with what was added, and what is waiting.

    `items` are those that were added, and `taken` the number of the last of them.
    """

    request: ChannelRequest
    waiting: tuple[Waiting, ...]
    items: list[dict[str, Any]]
    taken: int


class _Found(msgspec.Struct, frozen=True):
    """A turn that can be continued. It may have no record, such as one that no channel has told."""

    record: JSON


class Continuation:
    """Checks requests against what they continue."""

    def __init__(self, context: ChannelContext, settings: CreationSettings) -> None:
        self._context = context
        self._settings = settings

    @cached_property
    def conversations(self) -> Conversations:
        """The conversations of whoever is calling; loaded with the first request that names one."""
        from ._conversation import Conversations

        return Conversations(self._context)

    @cached_property
    def _accepted(self) -> AcceptedResponses:
        # Only who continues what no turn was stored of needs to know.
        from ._accepted import AcceptedResponses

        return AcceptedResponses(self._context)

    async def check(self, asked: ResponsesRequest) -> tuple[Waiting, ...]:
        """Check a request; return what that which it continues has left waiting.

        Raises:
            InvalidRequest: It does not go together with what it continues.
            UnknownParent: There is no such response for this caller.
        """
        if asked.client_tools:
            if not self._context.accepts_options:
                raise InvalidRequest("This agent takes no tools from its callers. Leave 'tools' out.", param="tools")
            refuse_clashes(asked.client_tools, tool_names(self._context.target))
        if asked.conversation is not None:
            await self._require(asked.conversation)
            return self._settled(asked, await self.conversations.standing(asked.conversation))
        previous = asked.previous_response_id
        record = None if previous is None else await self._record(previous)
        if record is not None:
            check_answers(asked.answered_calls, declared=asked.declared_calls, made=calls_of(record))
            return _with_answers(asked.decisions, waiting_of(record))
        if not (asked.answered_calls or asked.decisions):
            return ()
        # A session that a platform or a hook names may hold any calls.
        if self._settings.run_hook is None and chat_key() is None:
            check_answers(asked.answered_calls, declared=asked.declared_calls, made=[])
        return _with_answers(asked.decisions, await self._asked_for(asked.decisions))

    async def begin(self, asked: ResponsesRequest, request: ChannelRequest) -> Begun:
        """Check a request of a conversation once more, now that nobody else can change that; and read what was added.

        Raises:
            InvalidRequest: The conversation has moved on, so that the request does not go together with it.
        """
        standing = await self.conversations.standing(asked.conversation or "")
        waiting = self._settled(asked, standing)
        added = read_input(standing.items).messages
        if self._settings.caller_instructions != "append":
            added = [message for message in added if message.role != "system"]
        if added:
            request = replace(request, input=[*added, *self._messages(request.input)])
        return Begun(request, waiting, standing.items, standing.taken)

    async def _require(self, conversation: str) -> None:
        try:
            await self.conversations.find(conversation)
        except UnknownId as error:
            # It is the request that is wrong, as with a response that is not there.
            raise InvalidRequest(error.message, param="conversation", code=_UNKNOWN_CONVERSATION) from None

    def _messages(self, given: Any) -> list[Message]:
        """Return an input as messages; a run hook may have made any form of it that a target takes."""
        said: list[Any] = given if is_list(given) else [given]
        takes_text = not is_workflow(self._context.target)
        if all(isinstance(each, Message) or (takes_text and isinstance(each, (str, Content))) for each in said):
            return [each if isinstance(each, Message) else Message("user", [each]) for each in said]
        raise InvalidRequest(
            "Items were added to this conversation, and what is served here takes no messages to which they could be "
            "joined. Delete them, and send what they say as input.",
            param="conversation",
            code="items_not_readable",
        )

    def _settled(self, asked: ResponsesRequest, standing: Standing) -> tuple[Waiting, ...]:
        added = read_input(standing.items)
        if standing.is_known:
            check_answers(
                {**added.answered_calls, **asked.answered_calls},
                declared={*added.declared_calls, *asked.declared_calls},
                made=[*calls_of(standing.record), *added.open_calls],
            )
        return _with_answers(asked.decisions, waiting_of(standing.record))

    async def _record(self, previous: str) -> JSON:
        found = await self._finished(previous)
        if found is not None:
            return found.record
        # A run hook may yet choose another conversation, and then the id is not even looked at.
        if self._settings.run_hook is not None:
            return None
        accepted = await self._accepted.find(previous)
        if accepted is not None and accepted.is_open:
            raise InvalidRequest(
                f"Previous response with id '{shown(previous)}' has not ended yet. Continue it when it has completed; "
                "or name a 'conversation', whose turns wait for one another.",
                param="previous_response_id",
                code="previous_response_not_completed",
            )
        # It may have ended between the two looks.
        found = await self._finished(previous)
        if found is None:
            raise UnknownParent(f"Previous response with id '{shown(previous)}' not found.")
        return found.record

    async def _finished(self, response: str) -> _Found | None:
        """Return the record of a response that can be continued; nothing when there is none.

        Raises:
            UnknownParent: It is there, and did not finish.
        """
        try:
            record = await self._context.read_record(response)
        except UnknownId:
            return None
        if is_unfinished(record) and self._settings.run_hook is None:
            raise UnknownParent(
                f"Previous response with id '{shown(response)}' did not finish, so it cannot be continued. Continue "
                "from the one before."
            )
        return None if is_of_another_channel(record) else _Found(record)

    async def _asked_for(self, decisions: Mapping[str, Decision]) -> list[Waiting]:
        """Return what the responses that asked have left waiting, found by the ids of their requests.

        That is for the chat of a platform, which names no response. A hook may choose any session; there Agent
        Framework has the last word.
        """
        waiting: dict[Waiting, None] = {}
        chat, is_hooked = chat_key(), self._settings.run_hook is not None
        if chat is None and not is_hooked:
            return []
        asking = list(dict.fromkeys(name for request in decisions for name in response_id_of(request)))
        records: Mapping[str, JSON] = await self._context.read_records(asking) if asking else {}
        for record in records.values():
            if is_hooked or chat_of(record) == chat:
                waiting |= dict.fromkeys(waiting_of(record))
        return list(waiting)


def _with_answers(decisions: Mapping[str, Decision], waiting: Collection[Waiting]) -> tuple[Waiting, ...]:
    """Return what is waiting, with the answers to it; see `settle`."""
    if not decisions:
        return tuple(waiting)
    # Few agents ask.
    from ._inbound.decisions import settle

    return settle(decisions, waiting)


def session_of(asked: ResponsesRequest, response_id: str, *, is_apart: bool = False) -> ChannelSession:
    """Return the session that a request belongs to, and the id that its turn is found by, if anybody can find it."""
    commit_as = response_id if asked.store or is_apart else None
    if asked.conversation is not None:
        # What is said in a conversation is part of it, also when the response itself is not to be found.
        return ChannelSession(asked.conversation, commit_as=commit_as or mint("turn_"))
    if asked.previous_response_id is not None:
        return ChannelSession(parent=asked.previous_response_id, commit_as=commit_as)
    return ChannelSession(chat_key(), commit_as=commit_as)


def is_kept(asked: ResponsesRequest) -> bool:
    """Return whether what was said can be read later."""
    return asked.store or asked.conversation is not None


def chat_key() -> str | None:
    """Return the key of the chat that a trusted platform names, if it does."""
    keys = get_current_isolation_keys()
    return keys.chat_key if keys else None
