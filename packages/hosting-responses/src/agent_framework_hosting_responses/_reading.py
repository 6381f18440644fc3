"""What was answered, read again: responses, their input, their streams; and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.events import EventStream

from ._background import Background
from ._conversation import Conversations
from ._following import Following
from ._objects import DeletedResponse, ItemList
from ._operation import Call
from ._paging import cut, each
from ._query import Query
from ._record import body_of, conversation_of, input_of, taken_of
from ._standing import Standing, unknown

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext


class Reading:
    """Reads responses that were stored, and forgets them."""

    def __init__(
        self, context: ChannelContext, background: Background, standing: Standing, following: Following
    ) -> None:
        self._context = context
        self._background = background
        self._conversations = Conversations(context)
        self._following = following
        self._standing = standing

    async def retrieve(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Return a response, or its stream."""
        query = Query(scope)
        is_stream, after = query.flag("stream"), query.count("starting_after", low=0)
        query.flag("include_obfuscation")
        if after is not None and not is_stream:
            raise InvalidRequest("'starting_after' is for streams: send it with 'stream=true'.", param="starting_after")
        record = await self._standing.find(scope["path_params"]["response"])
        if not is_stream:
            body = to_json(body_of(record))
            await send_json(send, 200, body, request_id=request_id, headers=[])
            return
        events = self._following.follow(record, after=-1 if after is None else after)
        context, headers = self._context, [(b"x-request-id", request_id)]
        answer = EventStream(events, limits=context.limits, buffers=context.buffers, headers=headers)
        await answer(scope, receive, send)

    async def delete(self, call: Call) -> DeletedResponse:
        """Forget a response: nobody can read or continue it from then on; one that runs is stopped."""
        response = call.part("response")
        record = await self._standing.find(response)
        conversation = conversation_of(record)
        if conversation is not None:
            await self._conversations.discard_read(conversation, until=taken_of(record))
        was_accepted = await self._background.forget(record)
        if not await self._context.records.forget(response) and not was_accepted:
            raise unknown(response)
        return {"id": response, "object": "response", "deleted": True}

    async def cancel(self, call: Call) -> Mapping[str, Any]:
        """Stop a response of the background, and return it as it ended."""
        return body_of(await self._background.cancel(call.part("response")))

    async def list_input(self, call: Call) -> ItemList:
        """Return a page of what a response answers."""
        page = Query(call.scope).page()
        items = input_of(await self._standing.find(call.part("response")))
        return await cut(each(reversed(items) if page.newest_first else items), page)
