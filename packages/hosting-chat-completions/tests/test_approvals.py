"""What an agent or a workflow asks of people: a text for readers, a tool call for programs in a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_framework import (
    Agent,
    Content,
    Executor,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    handler,
    response_handler,
    tool,
)
from chat_rules import FUNCTION, HELLO, ask, complete, error_of, message_of, serving

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.testing import ScriptedChatClient

HEADER = "x-session-id"
TEA = {HEADER: "tea"}
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def paying(paid: list[int], *turns: Any) -> Agent[Any]:
    """Return an agent that asks before it pays."""

    @tool(approval_mode="always_require")
    def pay(amount: int) -> str:
        """Pay an amount."""
        paid.append(amount)
        return f"paid {amount}"

    call = Content.from_function_call("c1", "pay", arguments='{"amount": 5}')
    return Agent(ScriptedChatClient([call], *turns, every="ok"), tools=[pay])


def decision(call: dict[str, Any], content: Any) -> dict[str, Any]:
    said = content if isinstance(content, str) else json.dumps(content)
    return {"role": "tool", "tool_call_id": call["id"], "content": said}


@WAYS
async def test_a_reader_is_told_what_waits(stream: bool) -> None:
    """And nothing runs."""
    paid: list[int] = []
    async with serving(paying(paid)) as driver:
        body = await complete(driver, stream=stream)
    message = body["choices"][0]["message"]
    assert message["content"] == (
        """The agent asks for approval to run the tool 'pay' with {"amount": 5}. It cannot be answered here."""
    )
    assert ("tool_calls" in message, body["choices"][0]["finish_reason"], paid) == (False, "stop", [])


async def test_without_a_conversation_a_program_is_told_the_same() -> None:
    """Since nobody would remember what it answers to."""
    async with serving(paying([]), requests_as="tool_calls", session_header=HEADER) as driver:
        assert "approval" in (await message_of(driver))["content"]


@WAYS
@pytest.mark.parametrize("approved", [True, False])
async def test_a_program_answers_in_a_conversation(stream: bool, approved: bool) -> None:
    """By the result of a tool call; the tool runs when it was approved, once."""
    paid: list[int] = []
    agent = paying(paid, "done")
    async with serving(agent, requests_as="tool_calls", session_header=HEADER) as driver:
        asked = await complete(driver, headers=TEA, stream=stream)
        message = asked["choices"][0]["message"]
        (call,) = message["tool_calls"]
        history = [*HELLO, message, decision(call, {"approved": approved})]
        told = await message_of(driver, history, headers=TEA, stream=stream)
        again = await ask(driver, history, headers=TEA)
        on = [*history, told, {"role": "user", "content": "thanks"}]
        assert (await message_of(driver, on, headers=TEA))["content"] == "ok"
    assert asked["choices"][0]["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "request_approval"
    assert json.loads(call["function"]["arguments"]) == {"tool": "pay", "arguments": {"amount": 5}}
    assert (told["content"], paid) == ("done", [5] if approved else [])
    assert error_of(again) == (400, "approval_already_answered", "messages")


async def test_a_client_may_declare_what_it_is_asked_with() -> None:
    """Frameworks run only the tools that they have declared; the agent gets the others alone."""
    agent = paying([])
    declared = {"type": "function", "function": {"name": "request_approval"}}
    async with serving(agent, requests_as="tool_calls", session_header=HEADER) as driver:
        message = await message_of(driver, headers=TEA, tools=[declared, FUNCTION])
        unknown = await ask(
            driver, tools=[declared], tool_choice={"type": "function", "function": {"name": "request_approval"}}
        )
    assert message["tool_calls"][0]["function"]["name"] == "request_approval"
    client: Any = agent.client
    assert client.calls[0].tools == ["pay", "f"]
    assert error_of(unknown) == (400, "invalid_value", "tool_choice.function.name")


@pytest.mark.parametrize("content", ["yes", "{}", '{"approved": "true"}', "[" * 5_000, "true"])
async def test_what_is_no_decision_is_refused(content: str) -> None:
    """And the request stays open."""
    paid: list[int] = []
    async with serving(paying(paid, "done"), requests_as="tool_calls", session_header=HEADER) as driver:
        message = await message_of(driver, headers=TEA)
        call = message["tool_calls"][0]
        refused = await ask(driver, [*HELLO, message, decision(call, content)], headers=TEA)
        await complete(driver, [*HELLO, message, decision(call, {"approved": True})], headers=TEA)
    assert error_of(refused) == (400, "invalid_value", "messages[2].content")
    assert paid == [5]


async def test_nobody_approves_what_was_not_asked_for() -> None:
    """A history that a caller has made up, another conversation, and another caller's request."""
    paid: list[int] = []
    keys = {"ada": new_key(), "bob": new_key()}
    auth = ApiKeys({name: hash_key(key) for name, key in keys.items()})
    ada, bob = ({**TEA, "authorization": f"Bearer {key}"} for key in keys.values())
    async with serving(paying(paid), requests_as="tool_calls", session_header=HEADER, auth=auth) as driver:
        message = await message_of(driver, headers=ada)
        yes = decision(message["tool_calls"][0], {"approved": True})
        foreign = await ask(driver, [*HELLO, message, yes], headers=bob)
        elsewhere = await ask(driver, [*HELLO, message, yes], headers={**ada, HEADER: "coffee"})
        nowhere = await ask(driver, [*HELLO, message, yes], headers={"authorization": ada["authorization"]})
        made_up = json.loads(json.dumps(message).replace("appr_", "appr_0"))
        unknown = decision(made_up["tool_calls"][0], {"approved": True})
        invented = await ask(driver, [*HELLO, made_up, unknown], headers=ada)
    for answer in (foreign, elsewhere, nowhere, invented):
        assert error_of(answer) == (400, "approval_request_not_found", "messages[2].tool_call_id")
    assert paid == []


class Refunds(Executor):
    """Asks before it pays."""

    def __init__(self) -> None:
        super().__init__(id="refunds")

    @handler
    async def pay(self, messages: list[Any], ctx: WorkflowContext[str, str]) -> None:
        """Ask."""
        await ctx.request_info({"pay": messages[-1].text}, bool)

    @response_handler
    async def go_on(self, asked: dict[str, str], agreed: bool, ctx: WorkflowContext[str, str]) -> None:
        """Say what came of it."""
        await ctx.yield_output(f"paid {asked['pay']}" if agreed else "not paid")


def refunds() -> Workflow:
    return WorkflowBuilder(start_executor=Refunds(), name="refunds").build()


@WAYS
async def test_a_workflow_says_what_it_asks(stream: bool) -> None:
    async with serving(refunds) as driver:
        message = await message_of(driver, stream=stream)
    assert message["content"] == 'The workflow asks: {"pay":"hi"}\n\nIt cannot be answered here.'


@WAYS
async def test_a_workflow_is_answered_in_a_conversation(stream: bool) -> None:
    """By the result of the call that stands for what it asks."""
    async with serving(refunds, requests_as="tool_calls", session_header=HEADER) as driver:
        message = await message_of(driver, headers=TEA, stream=stream)
        (call,) = message["tool_calls"]
        told = await message_of(driver, [*HELLO, message, decision(call, True)], headers=TEA, stream=stream)
    assert call["function"]["name"] == "request_info"
    assert told["content"] == "paid hi"
