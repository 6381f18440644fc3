"""What one channel calls a session is no name of anything on another, also for its own caller."""

from __future__ import annotations

from typing import Any

import pytest

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import LoopbackDriver, ScriptedAgent
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_invocations import InvocationsChannel
from agent_framework_hosting_responses import ResponsesChannel

HELLO = [{"role": "user", "content": "Hello"}]


async def asked(driver: LoopbackDriver, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await driver.request("POST", path, json=body, headers={"x-session-id": "tea"} if "chat" in path else {})
    return answer.status, answer.json()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("source", ["a session", "a named session", "a completion"])
async def test_a_response_continues_nothing_of_another_channel(source: str, stream: bool) -> None:
    agent = ScriptedAgent(every="Hello.")
    channels = [
        ResponsesChannel(),
        InvocationsChannel(session_names=lambda name, _: f"named:{name}"),
        ChatCompletionsChannel(session_header="x-session-id"),
    ]
    async with LoopbackDriver(AgentFrameworkHost(agent, channels=channels).app) as driver:
        if source == "a session":
            name = (await asked(driver, "/invocations", {"input": "Hello"}))[1]["session_id"]
        elif source == "a named session":
            await asked(driver, "/invocations", {"input": "Hello", "session_id": "tea"})
            name = "session:named:tea"
        else:
            name = (await asked(driver, "/v1/chat/completions", {"messages": HELLO}))[1]["id"]
        body = {"input": "Hello", "previous_response_id": name, "stream": stream}
        status, told = await asked(driver, "/responses", body)
        assert (status, told["error"]["code"]) == (400, "previous_response_not_found")
        referring = {"input": [{"type": "item_reference", "id": f"msg_-{name}_0"}]}
        status, told = await asked(driver, "/responses", referring)
        assert (status, told["error"]["param"]) == (400, "input[0]")
    assert len(agent.runs) == 1
