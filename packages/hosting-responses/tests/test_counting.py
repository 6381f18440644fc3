"""`POST /responses/input_tokens`: what a request would begin with, counted by a tokenizer of one's choice."""

from __future__ import annotations

from typing import Any

from agent_framework import Agent, tool

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent, ScriptedChatClient
from agent_framework_hosting_responses.channel import ResponsesChannel

PATH = "/v1/responses/input_tokens"


class Words:
    """Takes every word for a token, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def count_tokens(self, text: str) -> int:
        self.given.append(text)
        return len(text.split())


def driver_of(agent: Any, **options: Any) -> InMemoryDriver:
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)]).app)


async def test_everything_that_the_agent_gets_is_counted_and_nothing_runs() -> None:
    @tool(approval_mode="never_require")
    def opening_hours(day: str) -> str:
        """Say when the shop is open."""
        return day

    words, chat = Words(), ScriptedChatClient()
    agent = Agent(chat, name="shop", instructions="Be kind.", tools=[opening_hours])
    async with driver_of(agent, tokenizer=words, caller_instructions="append") as driver:
        answer = await driver.request(
            "POST",
            PATH,
            json={
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "one two"}]},
                    {"type": "function_call", "call_id": "c", "name": "look", "arguments": '{"at": "it"}'},
                    {"type": "function_call_output", "call_id": "c", "output": "three four"},
                ],
                "instructions": "Five six.",
                "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
            },
        )
    assert answer.json() == {
        "object": "response.input_tokens",
        "input_tokens": sum(map(len, map(str.split, words.given))),
    }
    said = " ".join(words.given)
    for text in ("Be kind.", "Five six.", "one two", 'look {"at": "it"}', "three four", "Say when the shop is open."):
        assert said.count(text) == 1, text
    assert chat.calls == []


async def test_a_picture_is_not_counted_as_the_text_that_it_comes_in() -> None:
    words = Words()
    picture = {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}
    async with driver_of(ScriptedAgent(), tokenizer=words) as driver:
        answer = await driver.request("POST", PATH, json={"input": [{"role": "user", "content": [picture]}]})
    assert (answer.json()["input_tokens"], words.given) == (0, [])


async def test_what_is_continued_counts_in_chains_and_in_conversations() -> None:
    words = Words()
    async with driver_of(ScriptedAgent(every="four five six"), tokenizer=words) as driver:

        async def count(**fields: Any) -> int:
            return (await driver.request("POST", PATH, json=fields)).json()["input_tokens"]

        first = (await driver.request("POST", "/v1/responses", json={"input": "one two three"})).json()["id"]
        assert await count(input="seven", previous_response_id=first) == 7
        assert await count(previous_response_id=first) == 6
        talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
        await driver.request("POST", "/v1/responses", json={"input": "one two", "conversation": talk})
        added = {"items": [{"role": "user", "content": "seven eight"}]}
        await driver.request("POST", f"/v1/conversations/{talk}/items", json=added)
        assert await count(input="nine", conversation=talk) == 8


async def test_a_request_that_could_not_be_made_is_not_counted() -> None:
    async with driver_of(ScriptedAgent()) as driver:
        for body, code in (
            ({"input": "a", "previous_response_id": "resp_no"}, "previous_response_not_found"),
            ({"input": "a", "conversation": "conv_no"}, "conversation_not_found"),
            ({"input": "a", "stream": True}, "unknown_parameter"),
            ({"input": 5}, "invalid_type"),
        ):
            answer = await driver.request("POST", PATH, json=body)
            assert (answer.status, answer.json()["error"]["code"]) == (400, code)


async def test_without_a_tokenizer_nothing_is_counted() -> None:
    async with driver_of(ScriptedAgent(), tokenizer=None) as driver:
        answer = await driver.request("POST", PATH, json={"input": "a"})
    assert (answer.status, answer.json()["error"]["code"]) == (400, "unsupported_endpoint")
    assert "tokenizer" in answer.json()["error"]["message"]
