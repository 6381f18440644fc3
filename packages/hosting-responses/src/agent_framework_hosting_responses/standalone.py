"""Answers of the protocol without the channel: for a route of your own, around an agent that you run yourself.

What reads requests without it is in the package itself: `parse_responses_request` and its like.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Any

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate
from msgspec.structs import replace

from agent_framework_hosting.ids import mint

from ._exchange import last_event
from ._inbound.request import parse
from ._outbound.machine import ResponseMachine, render
from ._outbound.showing import ResponseFields


def response_object(
    response: AgentResponse[Any],
    *,
    model: str,
    request: bytes | Mapping[str, Any] | None = None,
    response_id: str | None = None,
    show_tool_calls: bool = True,
) -> dict[str, Any]:
    """Return a response object for an agent's response.

    Args:
        response: What the agent answered.
        model: The model's name, for the client; the one that the request names is told instead.
        request: The body of the create request: the response repeats its fields, and shows calls of the tools that it
            brings as calls for the client.
        response_id: The response's id; a new one when left out.
        show_tool_calls: Whether tools that the agent ran itself are shown (as `mcp_call` items) or left out.

    Example:
        >>> from agent_framework import AgentResponse, Message
        >>> said = AgentResponse(messages=[Message("assistant", ["Hello."])])
        >>> response_object(said, model="guide")["output"][0]["content"][0]["text"]
        'Hello.'

    Raises:
        RequestError: The request is malformed, too large, or asks for what is not offered; `param` says where.
    """
    fields = _fields(model, request, response_id, show_tool_calls=show_tool_calls)
    return msgspec.json.decode(render(response, fields, completed_at=int(time.time())).body.json)


def response_events(
    updates: AsyncIterable[AgentResponseUpdate],
    *,
    model: str,
    request: bytes | Mapping[str, Any] | None = None,
    response_id: str | None = None,
    show_tool_calls: bool = True,
) -> AsyncGenerator[bytes, None]:
    """Return the event stream of a response, from `response.created` to `[DONE]`, as an agent's updates come.

    An exception from the updates becomes `response.failed`, which tells nothing of its text. The arguments are those of
    `response_object`.

    Raises:
        RequestError: As `response_object` does, before the first event.
    """
    return _events(updates, ResponseMachine(_fields(model, request, response_id, show_tool_calls=show_tool_calls)))


async def _events(updates: AsyncIterable[AgentResponseUpdate], machine: ResponseMachine) -> AsyncGenerator[bytes, None]:
    try:
        yield machine.start()
        async for update in updates:
            if data := machine.feed(update):
                yield data
        machine.complete(completed_at=int(time.time()))
        yield machine.closing()
    except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
        yield last_event(machine, error)


def _fields(
    model: str, request: bytes | Mapping[str, Any] | None, response_id: str | None, *, show_tool_calls: bool
) -> ResponseFields:
    fields = ResponseFields(
        response_id=mint("resp_") if response_id is None else response_id,
        created_at=int(time.time()),
        model=model,
        server_label=model,
        show_tool_calls=show_tool_calls,
    )
    if request is None:
        return fields
    asked = parse(request)
    include = frozenset(asked.requested_options.get("include", ()))
    return replace(
        fields,
        model=asked.requested_options.get("model", model),
        previous_response_id=asked.previous_response_id,
        echo=asked.echo,
        client_tools=frozenset(tool.name for tool in asked.client_tools),
        custom_tools=asked.custom_tools,
        forbidden_tools=asked.forbidden_tools,
        encrypted_reasoning="reasoning.encrypted_content" in include,
        include=include,
    )
