"""A chat client without a model: Agent Framework's own layers around a table of rules."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, cast
from uuid import uuid4

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatOptions,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FinishReasonLiteral,
    FunctionInvocationLayer,
    FunctionTool,
    Message,
    ResponseStream,
    ToolMode,
    UsageDetails,
    validate_tool_mode,
)
from agent_framework.observability import ChatTelemetryLayer

from ._calls import ToolCall
from ._conversation import read
from ._rules import decide
from ._turn import CallTools, Reply, Tool, ToolPolicy, Turn

MODEL: Final = "offline-demo"
_ANY_OBJECT: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}
_WORD: Final = re.compile(r"\s*\S+\s*")
_PIECE: Final = re.compile(r".{1,16}", re.DOTALL)


class OfflineChatClient(
    FunctionInvocationLayer[ChatOptions[None]],
    ChatMiddlewareLayer[ChatOptions[None]],
    ChatTelemetryLayer[ChatOptions[None]],
    BaseChatClient[ChatOptions[None]],
):
    """A deterministic chat client for demonstrations: fixed rules, no network, and honest about it.

    It asks for tools, which Agent Framework's tool loop runs; streams word by word; honours tool choice, parallel
    calls, the answer's format and the maximum of tokens; and reports usage, where a word counts as a token. Other
    options have no effect.

    Args:
        word_delay: Seconds between two streamed words, so that a person can see the stream.
    """

    OTEL_PROVIDER_NAME: ClassVar[str] = MODEL

    def __init__(self, *, word_delay: float = 0.0) -> None:
        super().__init__()
        self.model = MODEL
        self.word_delay = word_delay

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **_kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        if stream:
            return self._build_response_stream(self._updates(messages, options, pause=self.word_delay))
        return self._response(messages, options)

    async def _response(self, messages: Sequence[Message], options: Mapping[str, Any]) -> ChatResponse[Any]:
        updates = [update async for update in self._updates(messages, options, pause=0.0)]
        return self._finalize_response_updates(updates)

    async def _updates(
        self, messages: Sequence[Message], options: Mapping[str, Any], *, pause: float
    ) -> AsyncIterator[ChatResponseUpdate]:
        """Yield the answer word by word, then the usage and the reason why it ended."""
        checked = await self._validate_options(options)
        reply = decide(_turn(messages, checked))
        chunks, reason = _chunks(reply, max_tokens=checked.get("max_tokens"))
        update = partial(
            ChatResponseUpdate,
            role="assistant",
            model=self.model,
            response_id=f"offline-{uuid4().hex}",
            message_id=f"msg-{uuid4().hex}",
        )
        for index, content in enumerate(chunks):
            if index and pause:
                await asyncio.sleep(pause)
            yield update(contents=[content])
        yield update(contents=[Content.from_usage(_usage(messages, checked, chunks))], finish_reason=reason)


def _turn(messages: Sequence[Message], options: Mapping[str, Any]) -> Turn:
    mode: ToolMode = validate_tool_mode(options.get("tool_choice")) or {"mode": "auto"}
    tools = [
        Tool(tool.name, schema=tool.parameters(), declared_by_client=tool.declaration_only)
        for tool in cast("Sequence[object]", options.get("tools") or ())
        if isinstance(tool, FunctionTool) and tool.name in mode.get("allowed_tools", [tool.name])
    ]
    policy = ToolPolicy(
        mode=mode.get("mode", "auto"),
        required=mode.get("required_function_name"),
        parallel=options.get("allow_multiple_tool_calls") is not False,
    )
    return Turn(read(messages), tools=tools, policy=policy, schema=_wanted_schema(options.get("response_format")))


def _wanted_schema(wanted: Any) -> Mapping[str, Any] | None:
    """Return the JSON schema that an answer has to fit, from any of the forms that Agent Framework's option has."""
    if isinstance(wanted, type):
        return cast("Any", wanted).model_json_schema()
    if not isinstance(wanted, Mapping):
        return None
    wanted = cast("Mapping[str, Any]", wanted)
    match wanted.get("type"):
        case "json_schema":
            named = wanted.get("json_schema", wanted)
            return named.get("schema", {})
        case "json_object":
            return _ANY_OBJECT
        case "text":
            return None
        case _:
            return wanted


def _chunks(reply: Reply, *, max_tokens: int | None) -> tuple[list[Content], FinishReasonLiteral]:
    """Return the reply in the pieces in which it is streamed, and why it ends."""
    if isinstance(reply, CallTools):
        return [piece for call in reply.calls for piece in _call_pieces(call)], "tool_calls"
    words: list[str] = _WORD.findall(reply.text)
    kept = words[:max_tokens]
    return [Content.from_text(word) for word in kept], "stop" if len(kept) == len(words) else "length"


def _call_pieces(call: ToolCall) -> Iterator[Content]:
    """Yield a call as models stream it: the arguments come piece by piece under one call id."""
    call_id = f"call_{uuid4().hex}"
    for piece in _PIECE.findall(call.arguments):
        yield Content.from_function_call(call_id, call.name, arguments=piece)


def _usage(messages: Sequence[Message], options: Mapping[str, Any], chunks: Sequence[Content]) -> UsageDetails:
    """Count words as tokens; of what is written, every streamed piece counts as one."""
    words = sum(_words(content) for message in messages for content in message.contents)
    words += len(str(options.get("instructions") or "").split())
    return {
        "input_token_count": words,
        "output_token_count": len(chunks),
        "total_token_count": words + len(chunks),
    }


def _words(content: Content) -> int:
    """Return how many words a piece of content has; the name and arguments of a call and a result count, too."""
    parts: tuple[object, ...] = (content.text, content.name, content.arguments, content.result)
    return sum(len(str(part).split()) for part in parts if part)
