"""What was answered, read again: responses, their input, their streams; and forgotten."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import InvalidRequest, UnknownId
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.events import EventStream

from ._conversation import Conversations
from ._objects import DeletedResponse, ItemList
from ._operation import Call
from ._paging import cut, each
from ._query import Query
from ._record import body_of, conversation_of, input_of, is_response, taken_of
from ._replay import said_again


class Reading:
    """Reads responses that were stored, and forgets them."""

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._conversations = Conversations(context)

    async def retrieve(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Return a response, or its stream."""
        query = Query(scope)
        is_stream, after = query.flag("stream"), query.count("starting_after", low=0)
        query.flag("include_obfuscation")
        if after is not None and not is_stream:
            raise InvalidRequest("'starting_after' is for streams: send it with 'stream=true'.", param="starting_after")
        record = await self._record(scope["path_params"]["response"])
        if not is_stream:
            body = msgspec.json.encode(body_of(record))
            await send_json(send, 200, body, request_id=request_id, headers=[])
            return
        events = _once(said_again(record, after=-1 if after is None else after))
        context, headers = self._context, [(b"x-request-id", request_id)]
        answer = EventStream(events, limits=context.limits, buffers=context.buffers, headers=headers)
        await answer(scope, receive, send)

    async def delete(self, call: Call) -> DeletedResponse:
        """Forget a response: nobody can read or continue it from then on."""
        response = call.part("response")
        record = await self._record(response)
        conversation = conversation_of(record)
        if conversation is not None:
            # That they were read is known from the record alone.
            await self._conversations.drop_read(conversation, until=taken_of(record))
        if not await self._context.records.forget(response):
            raise _unknown(response)
        return {"id": response, "object": "response", "deleted": True}

    async def cancel(self, call: Call) -> Mapping[str, Any]:
        """Say that there is nothing to cancel."""
        await self._record(call.part("response"))
        raise InvalidRequest(
            "Cannot cancel a synchronous response: only one that was created with 'background' can be.",
            param="response_id",
            code="response_not_cancellable",
        )

    async def list_input(self, call: Call) -> ItemList:
        """Return a page of what a response answers."""
        page = Query(call.scope).page()
        items = input_of(await self._record(call.part("response")))
        return await cut(each(reversed(items) if page.newest_first else items), page)

    async def _record(self, response: str) -> JSON:
        try:
            record = await self._context.read_record(response)
        except UnknownId:
            raise _unknown(response) from None
        if not is_response(record):
            raise _unknown(response)
        return record


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


def _unknown(response: str) -> UnknownId:
    return UnknownId(f"Response with id '{shown(response)}' not found.", param="response_id")
