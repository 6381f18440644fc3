"""The protocol in a route of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import Content
from chat_rules import FUNCTION, HELLO, check_completion, folded

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.testing import ScriptedAgent, events_from
from agent_framework_hosting_chat_completions.standalone import (
    chat_completion,
    chat_completion_chunks,
    messages_from_chat_messages,
    parse_chat_request,
)

CALL = Content.from_function_call("c1", "f", arguments="{}")


def test_a_request_is_messages_and_options() -> None:
    messages, options = parse_chat_request({"model": "m", "messages": HELLO, "tools": [FUNCTION], "seed": 7})
    assert [message.text for message in messages] == ["hi"]
    assert (options["model"], options["seed"], options["tools"][0].name) == ("m", 7, "f")


def test_what_is_malformed_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidRequest) as refused:
        messages_from_chat_messages([*HELLO, {"role": "user"}])
    assert refused.value.param == "messages[1].content"


async def test_an_agents_answer_is_a_completion_whole_and_streamed() -> None:
    agent = ScriptedAgent(every=["Hel", "lo", CALL])
    shown: dict[str, Any] = {"model": "guide", "client_tools": ["f"]}
    whole = chat_completion(await agent.run("hi"), **shown)
    stream = b"".join([chunk async for chunk in chat_completion_chunks(agent.run("hi", stream=True), **shown)])
    check_completion(whole)
    assert folded(stream)["choices"] == whole["choices"]
    assert (whole["model"], whole["choices"][0]["finish_reason"]) == ("guide", "tool_calls")


async def test_a_failure_ends_the_stream_with_an_error() -> None:
    updates = ScriptedAgent(every=["Hello", ValueError("secret")]).run("hi", stream=True)
    stream = b"".join([chunk async for chunk in chat_completion_chunks(updates, model="guide")])
    *_, told, done = events_from(stream)
    assert (told.json()["error"]["code"], done.data) == ("server_error", "[DONE]")
    assert b"secret" not in stream
