"""The three hooks go around every run, plain or async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message

from ...types import ChannelRequest, HostedRunResult
from .._agent import ScriptedAgent
from .._script import echo
from ._adapter import Line
from ._suite import ChannelSuite

_plain_and_async = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])


class Hooks(ChannelSuite):
    """What is run, what is shown, and what the answer says at its end."""

    @_plain_and_async
    async def test_a_run_hook_decides_what_is_run(self, is_async: bool) -> None:
        calls: list[tuple[ChannelRequest, Any, Any]] = []

        def reword(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
            calls.append((request, target, protocol_request))
            return replace(request, input="other words")

        async with self.serve(ScriptedAgent(every=echo), options={"run_hook": _as(reword, is_async)}) as served:
            assert await served.answer(Line(), "hello") == "echo: other words"
            (request, target, protocol_request), *more = calls
            assert more == []
            assert (request.channel, target) == (served.channel.name, served.agent)
            assert protocol_request is not None, "A run hook gets what the channel has parsed."

    async def test_a_run_hook_decides_what_is_streamed(self) -> None:
        self.needs("streaming")

        def reword(request: ChannelRequest, **_: Any) -> ChannelRequest:
            return replace(request, input="other words")

        async with self.serve(ScriptedAgent(every=echo), options={"run_hook": reword}) as served:
            assert (await served.hear(Line(), "hello")).said.text == "echo: other words"

    @_plain_and_async
    async def test_a_response_hook_has_the_last_word(self, is_async: bool) -> None:
        names: list[str] = []

        def sign(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
            names.extend((request.channel, channel_name))
            return _signed(result)

        async with self.serve(ScriptedAgent(every=echo), options={"response_hook": _as(sign, is_async)}) as served:
            assert await served.answer(Line(), "hello") == "echo: hello (signed)"
            assert names == [served.channel.name] * 2

    async def test_a_response_hook_has_the_last_word_on_a_streams_end(self) -> None:
        self.needs("streaming", "final")

        def sign(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
            return _signed(result)

        async with self.serve(ScriptedAgent(every=echo), options={"response_hook": sign}) as served:
            assert (await served.hear(Line(), "hello")).said.text == "echo: hello (signed)"

    @_plain_and_async
    async def test_a_stream_update_hook_rewrites_and_drops_what_is_shown(self, is_async: bool) -> None:
        self.needs("streaming")

        def soften(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
            if update.text == "SECRET":
                return None
            return replace_text(update, update.text.lower())

        agent = ScriptedAgent(every=["HEL", "SECRET", "LO"])
        async with self.serve(agent, options={"stream_update_hook": _as(soften, is_async)}) as served:
            heard = await served.hear(Line(), "hello")
            assert heard.shown[-1:] == ["hello"], f"This was shown: {heard.shown}"
            assert heard.said.text == "hello", "The end of a stream is folded from what was sent."
            assert b"SECRET" not in heard.said.wire

    async def test_a_stream_update_hook_leaves_whole_answers_alone(self) -> None:
        self.needs("streaming")

        def drop(_: AgentResponseUpdate) -> None:
            return None

        async with self.serve(ScriptedAgent(every=["HEL", "LO"]), options={"stream_update_hook": drop}) as served:
            if not served.adapter.streams_always:
                assert await served.answer(Line(), "hello") == "HELLO"


def replace_text(update: AgentResponseUpdate, text: str) -> AgentResponseUpdate:
    """Return the same update with another text."""
    return AgentResponseUpdate(
        contents=[Content.from_text(text)],
        role=update.role,
        author_name=update.author_name,
        response_id=update.response_id,
        message_id=update.message_id,
    )


def _signed(result: HostedRunResult[Any]) -> HostedRunResult[Any]:
    return result.replace(result=AgentResponse(messages=[Message("assistant", [f"{result.result.text} (signed)"])]))


def _as(hook: Callable[..., Any], is_async: bool) -> Callable[..., Any | Awaitable[Any]]:
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return hook(*args, **kwargs)

    return awaited if is_async else hook
