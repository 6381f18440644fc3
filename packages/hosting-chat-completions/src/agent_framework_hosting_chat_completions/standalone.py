"""The protocol without the channel: for a route of your own, around an agent that you run yourself."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Mapping
from typing import Any

from agent_framework import AgentResponse, AgentResponseUpdate, Message

from agent_framework_hosting.ids import mint
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.web.errors import describe

from ._errors import error_response
from ._inbound.messages import read_messages
from ._inbound.request import parse
from ._outbound.machine import ChatFields, ChatMachine, render
from ._outbound.showing import Showing


def messages_from_chat_messages(messages: Any) -> list[Message]:
    """Return the messages of a `messages` field; developers speak with the role `system`.

    Example:
        >>> [message.text for message in messages_from_chat_messages([{"role": "user", "content": "Hello"}])]
        ['Hello']

    Raises:
        InvalidRequest: A message is malformed, or of a kind that is not read; `param` says which.
    """
    body = decode({"messages": messages}, max_depth=Limits().max_json_depth + 1)
    return read_messages(body["messages"]).messages


def parse_chat_request(body: bytes | Mapping[str, Any]) -> tuple[list[Message], dict[str, Any]]:
    """Return messages and options of a request.

    The options are all that the caller asked for, in Agent Framework's names: model and declarations of the caller's
    tools among them. Pass on what you would let a stranger decide.

    Example:
        >>> parse_chat_request({"messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 9})[1]
        {'max_tokens': 9}

    Raises:
        RequestError: The body is malformed, too large, or asks for what is not offered; `param` says where.
    """
    request = parse(body)
    return request.messages, request.requested_options


def chat_completion(
    response: AgentResponse[Any], *, model: str, client_tools: Collection[str] = (), show_reasoning: bool = False
) -> dict[str, Any]:
    """Return a completion object for an agent's response.

    Args:
        response: What the agent answered.
        model: The model's name, for the client.
        client_tools: Names of the tools that the client runs itself; calls of others are not shown.
        show_reasoning: Whether thoughts are shown, as `reasoning_content`.

    Example:
        >>> from agent_framework import AgentResponse, Message
        >>> said = AgentResponse(messages=[Message("assistant", ["Hello."])])
        >>> chat_completion(said, model="guide")["choices"][0]["message"]["content"]
        'Hello.'

    Raises:
        RunError: The agent has reported an error.
    """
    return render(response, **_fields(model, client_tools, show_reasoning=show_reasoning)).body


async def chat_completion_chunks(
    updates: AsyncIterable[AgentResponseUpdate],
    *,
    model: str,
    client_tools: Collection[str] = (),
    show_reasoning: bool = False,
    include_usage: bool = False,
) -> AsyncGenerator[bytes, None]:
    """Yield the event stream of a completion, from its first chunk to `[DONE]`, as an agent's updates come.

    An exception from the updates becomes an error event, which the official clients raise. `include_usage` says whether
    the usage is told, as the request's `stream_options` ask; the other arguments are those of `chat_completion`.
    """
    machine = ChatMachine(include_usage=include_usage, **_fields(model, client_tools, show_reasoning=show_reasoning))
    try:
        yield machine.start()
        async for update in updates:
            if data := machine.feed(update):
                yield data
        machine.complete()
        yield machine.closing()
    except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
        yield machine.fail(error_response.body(describe(error)))


def _fields(model: str, client_tools: Collection[str], *, show_reasoning: bool) -> ChatFields:
    showing = Showing(
        completion_id=mint("chatcmpl-"), client_tools=frozenset(client_tools), show_reasoning=show_reasoning
    )
    return ChatFields(created=int(time.time()), model=model, showing=showing)
