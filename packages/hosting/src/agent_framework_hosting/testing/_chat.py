"""A chat client that answers from a script, for a real `Agent` with the real tool loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatOptions,
    ChatResponse,
    ChatResponseUpdate,
    FunctionInvocationLayer,
    Message,
    ResponseStream,
)
from agent_framework.observability import ChatTelemetryLayer

from ._gate import TIMEOUT
from ._record import Ledger, Record, texts
from ._script import Script, Turn, echo


@dataclass(kw_only=True, eq=False, repr=False)
class ChatCall(Record):
    """One request to a scripted chat client; `messages` are all that the model would see, tool results included."""

    updates: list[ChatResponseUpdate] = field(default_factory=list[ChatResponseUpdate])
    """What the call has answered so far."""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that were offered."""
        offered: list[Any] = self.options.get("tools") or []
        return [tool.name for tool in offered]


ChatTurn: TypeAlias = Turn[ChatResponseUpdate, ChatCall]
"""What a chat client answers to one request."""


class ScriptedChatClient(
    FunctionInvocationLayer[ChatOptions[Any]],
    ChatMiddlewareLayer[ChatOptions[Any]],
    ChatTelemetryLayer[ChatOptions[Any]],
    BaseChatClient[ChatOptions[Any]],
):
    """A chat client that answers from a script and records every request.

    It is put together as core puts its own clients together, so an `Agent` on it runs its real tool loop, middleware
    and telemetry. Request i plays turn i; without a script it echoes. A turn that does not say why it finished does
    so by itself: `tool_calls` after a function call, else `stop`.

    Args:
        turns: What the first requests are answered with.
        every: What all further requests are answered with; without it they fail with `ScriptExhausted`.
        model: The model that the answers name.
        options: Keywords of core's client layers (`middleware=`, `function_invocation_configuration=`).

    Example:
        >>> import asyncio
        >>> from agent_framework import Agent, Content
        >>> from agent_framework_hosting.testing import ScriptedChatClient
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> async def main() -> None:
        ...     call = Content.from_function_call("call_1", "add", arguments={"a": 2, "b": 3})
        ...     client = ScriptedChatClient([call], lambda seen: f"It is {seen.messages[-1].contents[0].result}.")
        ...     print((await Agent(client, tools=[add]).run("2 + 3?")).text)
        ...     print(client.calls[0].tools, len(client.calls))
        >>> asyncio.run(main())
        It is 5.
        ['add'] 2
    """

    OTEL_PROVIDER_NAME: ClassVar[str] = "scripted"

    def __init__(
        self, *turns: ChatTurn, every: ChatTurn | None = None, model: str = "scripted-model", **options: Any
    ) -> None:
        super().__init__(**options)
        self.model = model
        self._script = Script[ChatResponseUpdate, ChatCall](
            turns,
            every=echo if every is None and not turns else every,
            update_type=ChatResponseUpdate,
            defaults={"model": model},
        )
        self._ledger = Ledger[ChatCall]()

    @property
    def calls(self) -> list[ChatCall]:
        """Every request so far."""
        return self._ledger.records

    @property
    def active(self) -> int:
        """How many requests are being answered now."""
        return self._ledger.active

    @property
    def most_active(self) -> int:
        """How many requests were answered at once, at the most."""
        return self._ledger.most_active

    async def wait_started(self, count: int = 1, *, timeout: float = TIMEOUT) -> None:
        """Wait until so many requests have started."""
        await self._ledger.wait_started(count, timeout=timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.model!r} calls={len(self.calls)} active={self.active}>"

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        call = ChatCall(
            index=len(self.calls),
            messages=list(messages),
            stream=stream,
            options=dict(options),
            kwargs=kwargs,
            seen=texts(messages),
            bell=self._ledger.bell,
        )
        self.calls.append(call)
        if not stream:
            return self._respond(call)
        return self._build_response_stream(self._updates(call), response_format=options.get("response_format"))

    async def _respond(self, call: ChatCall) -> ChatResponse[Any]:
        async with aclosing(self._updates(call)) as updates:
            answered = [update async for update in updates]
        return self._finalize_response_updates(answered, response_format=call.options.get("response_format"))

    async def _updates(self, call: ChatCall) -> AsyncGenerator[ChatResponseUpdate]:
        with self._ledger.playing(call):
            await self._validate_options(call.options)
            async with aclosing(self._script.updates(call)) as updates:
                async for update in updates:
                    call.updates.append(update)
                    yield update
            if not any(update.finish_reason or update.continuation_token for update in call.updates):
                yield self._last_update(call)

    def _last_update(self, call: ChatCall) -> ChatResponseUpdate:
        calls_tools = any(content.type == "function_call" for update in call.updates for content in update.contents)
        reason = "tool_calls" if calls_tools else "stop"
        return ChatResponseUpdate(role="assistant", model=self.model, finish_reason=reason)
