"""`POST /responses/input_tokens`: how many tokens a request would begin with, as far as the host can know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from agent_framework import Content, FunctionTool, Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.agent_tools import own_tools
from agent_framework_hosting.parsing.checks import Check
from agent_framework_hosting.parsing.refusals import unknown_parameter

from ._conversation import Conversations
from ._inbound.fields import FIELDS
from ._inbound.input import read_input
from ._inbound.request import ResponsesRequest
from ._objects import InputTokens
from ._operation import Call
from ._turns import Turn, Turns
from ._window import Window

if TYPE_CHECKING:
    from agent_framework import TokenizerProtocol

    from agent_framework_hosting.channel import ChannelContext

COUNTED: Final[Mapping[str, Check]] = {
    name: FIELDS[name]
    for name in (
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    )
}
"""What a count is asked with."""


class Counting:
    """Counts what a request would hand to the agent, with all that it continues.

    Args:
        context: The host's.
        turns: Reads requests.
        tokenizer: Counts the tokens of a text; nothing is counted without it.
    """

    def __init__(self, context: ChannelContext, turns: Turns, tokenizer: TokenizerProtocol | None) -> None:
        self._context = context
        self._turns = turns
        self._tokenizer = tokenizer
        self._window = Window(context)
        self._conversations = Conversations(context)

    async def count(self, call: Call) -> InputTokens:
        """Return the number of tokens of a request that is not made.

        Raises:
            InvalidRequest: The request could not be made, or nothing is counted here.
        """
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise InvalidRequest(
                "This server does not count tokens: its ResponsesChannel was given tokenizer=None. The 'usage' of a "
                "response has the numbers that the model's provider reported.",
                code="unsupported_endpoint",
            )
        body = await call.body()
        for name in body:
            if name not in COUNTED:
                raise unknown_parameter(name)
        turn = await self._turns.read({**body, "store": False}, named=None)
        if turn.ignored:
            call.headers.append((b"x-ignored-parameters", turn.ignored.encode()))
        texts = [*self._texts(turn), *_said(read_input(await self._before(turn.asked)).messages)]
        return {
            "object": "response.input_tokens",
            "input_tokens": sum(tokenizer.count_tokens(text) for text in texts if text),
        }

    async def _before(self, asked: ResponsesRequest) -> list[dict[str, Any]]:
        if asked.conversation is not None:
            added = (await self._conversations.standing(asked.conversation)).items
            items = [*await self._window.of_conversation(asked.conversation), *added]
        else:
            items = await self._window.up_to(asked.previous_response_id)
        self._window.refuse_too_many(items)
        return items

    def _texts(self, turn: Turn) -> Iterator[str]:
        own: Any = getattr(self._context.target, "default_options", None) or {}
        options = turn.request.options or {}
        for instructions in (own.get("instructions"), options.get("instructions")):
            if isinstance(instructions, str):
                yield instructions
        for tool in (*own_tools(self._context.target), *turn.asked.client_tools):
            yield _described(tool)
        yield from _said(turn.request.input)


def _described(tool: FunctionTool) -> str:
    return msgspec.json.encode([tool.name, tool.description, tool.parameters()]).decode()


def _said(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        for content in message.contents:
            yield _text(content)


def _text(content: Content) -> str:
    """Return what a model reads of a content; of pictures and files nobody here knows how many tokens they are."""
    match content.type:
        case "function_call":
            arguments = content.arguments
            spelt = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
            return f"{content.name} {spelt}"
        case "function_result":
            return str(content.result or "")
        case _:
            return content.text or ""
