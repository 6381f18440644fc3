"""An answer leaves nothing of the host's to the garbage collector, whose looks at many things hold everybody up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final

import httpx2
import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, AgentSession, Content, ResponseStream

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel
from agent_framework_hosting_invocations.channel import InvocationsChannel
from agent_framework_hosting_responses.channel import ResponsesChannel

ASKED: Final[dict[str, dict[str, Any]]] = {
    "/responses": {"input": "Hi"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/invocations": {"input": "Hi"},
}
TOOLS: Final = [
    AgentResponseUpdate(contents=[content], role="assistant")
    for content in (
        Content.from_text_reasoning(text="Hm"),
        Content.from_function_call("call", "look", arguments="{}"),
        Content.from_function_result("call", result="There"),
        Content.from_code_interpreter_tool_call(call_id="code", inputs=[Content.from_text("1 + 1")]),
        Content.from_shell_tool_call(call_id="shell", commands=["ls"]),
        Content.from_uri("https://example.com/a.png", media_type="image/png"),
        Content.from_text("So."),
    )
]


class Failing:
    """Fails, at once or after its first word; a scripted agent would keep the error in its records."""

    id = name = "failing"
    description = None

    def __init__(self, *words: str) -> None:
        self._words = words

    def create_session(self, *, session_id: str | None = None, **_: Any) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: str, *, session_id: str | None = None, **_: Any) -> AgentSession:
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    def run(self, messages: Any = None, *, stream: bool = False, **_: Any) -> Any:
        updates = ResponseStream(self._updates(), finalizer=AgentResponse.from_updates)
        return updates if stream else updates.get_final_response()

    async def _updates(self) -> AsyncGenerator[AgentResponseUpdate, None]:
        for word in self._words:
            yield AgentResponseUpdate(contents=[Content.from_text(word)], role="assistant")
        raise ValueError("no")


@contextmanager
def leaving() -> Generator[list[Any]]:
    """Return what the block leaves to the garbage collector, of this project's or msgspec's, once it has ended."""
    left = list[Any]()
    gc.collect()
    gc.disable()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
    finally:
        gc.set_debug(0)
        gc.enable()
        for each in gc.garbage:
            # What a type looks like is found out once, not for each request.
            where: str = each.__module__ if isinstance(each, FunctionType) else type(each).__module__
            if where.startswith(("agent_framework_hosting", "msgspec")):
                left.append(type(each))
        gc.garbage.clear()


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    "agent",
    [
        ScriptedAgent(every=["Hello", " there"]),
        ScriptedAgent(every=TOOLS),
        ScriptedAgent(every=["Hello", Gate()]),
        Failing("Hello"),
        Failing(),
    ],
    ids=["text", "tools", "takes too long", "fails in the middle", "fails at once"],
)
async def test_an_answer_leaves_nothing_to_the_garbage_collector(path: str, stream: bool, agent: Any) -> None:
    channels = [ResponsesChannel(), ChatCompletionsChannel(), InvocationsChannel()]
    host = AgentFrameworkHost(agent, channels=channels, limits=Limits(run_timeout=0.1))

    async def ask() -> None:
        answer = await client.post(path, json={**ASKED[path], "stream": stream})
        # A refusal leaves nothing, and says nothing of answers.
        assert answer.status_code == 200 or answer.status_code >= 500, answer.text
        # What has ended is let go of in the loop's next turns.
        for _ in range(3):
            await asyncio.sleep(0)

    async with host.lifespan(host.app):
        transport = httpx2.ASGITransport(app=host.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            # What is loaded, or prepared, with the first one.
            await ask()
            with leaving() as left:
                await ask()
    assert left == []
