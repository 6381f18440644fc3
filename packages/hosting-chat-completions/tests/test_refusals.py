"""What is refused, with the class that the official client raises, code and place; the agent sees none of it."""

from __future__ import annotations

from typing import Any

import pytest
from chat_rules import FUNCTION, HELLO, PATH, error_of, serving
from openai import APIError, AsyncOpenAI, AuthenticationError, BadRequestError

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import LoopbackDriver, ScriptedAgent
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel

CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING: dict[str, Any] = {"role": "assistant", "tool_calls": [CALL]}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c", "content": "R"}


def user(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def image(url: Any, **more: Any) -> dict[str, Any]:
    return user({"type": "image_url", "image_url": {"url": url, **more}})


def choice(value: Any) -> dict[str, Any]:
    return {"tools": [FUNCTION], "tool_choice": value}


def form(**members: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": members}}


PART = "messages[0].content[0]"
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": None}, "missing_required_parameter", "messages"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": "hi"}, "invalid_type", "messages"),
    ({"messages": ["hi"]}, "invalid_type", "messages[0]"),
    ({"messages": [{"content": "hi"}]}, "missing_required_parameter", "messages[0].role"),
    ({"messages": [{"role": "king", "content": "hi"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "function", "content": "hi"}]}, "unsupported_parameter", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
    ({"messages": [{"role": "user", "content": 7}]}, "invalid_type", "messages[0].content"),
    ({"messages": [{"role": "user", "content": ""}]}, "invalid_value", "messages"),
    ({"messages": [{"role": "assistant"}]}, "missing_required_parameter", "messages[0].content"),
    ({"messages": [*HELLO, CALLING]}, "invalid_value", "messages[1].tool_calls[0]"),
    ({"messages": [*HELLO, CALLING, *HELLO]}, "invalid_value", "messages[1].tool_calls[0]"),
    ({"messages": [*HELLO, RESULT]}, "invalid_value", "messages[1]"),
    ({"messages": [*HELLO, CALLING, RESULT, RESULT]}, "invalid_value", "messages[3].tool_call_id"),
    ({"messages": [{**CALLING, "tool_calls": [CALL, CALL]}, RESULT]}, "invalid_value", "messages[0].tool_calls[1].id"),
    ({"messages": [{**CALLING, "tool_calls": "f"}]}, "invalid_type", "messages[0].tool_calls"),
    (
        {"messages": [{**CALLING, "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}]},
        "unsupported_content",
        "messages[0].tool_calls[0]",
    ),
    ({"messages": [{"role": "assistant", "function_call": {}}]}, "unsupported_parameter", "messages[0].function_call"),
    ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "unsupported_content", "messages[0].audio"),
    ({"messages": [{"role": "tool", "content": "R"}]}, "missing_required_parameter", "messages[0].tool_call_id"),
    (user("hi"), "invalid_type", PART),
    (user({"text": "hi"}), "missing_required_parameter", f"{PART}.type"),
    (user({"type": "refusal", "refusal": "no"}), "invalid_value", f"{PART}.type"),
    (user({"type": "image_url", "image_url": "http://x/y.png"}), "invalid_type", f"{PART}.image_url"),
    (user({"type": "image_url"}), "missing_required_parameter", f"{PART}.image_url"),
    (image("file:///etc/passwd"), "invalid_value", f"{PART}.image_url.url"),
    (image("data:text/plain;base64,aGk="), "invalid_value", f"{PART}.image_url.url"),
    (image("http://x/y.png", detail="huge"), "invalid_value", f"{PART}.image_url.detail"),
    (
        user({"type": "input_audio", "input_audio": {"data": "aGk="}}),
        "missing_required_parameter",
        f"{PART}.input_audio.format",
    ),
    (
        user({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}),
        "invalid_value",
        f"{PART}.input_audio.data",
    ),
    (user({"type": "file", "file": {}}), "missing_required_parameter", f"{PART}.file.file_data"),
    (
        user({"type": "file", "file": {"file_data": "aGk=", "file_id": "f"}}),
        "mutually_exclusive_parameters",
        f"{PART}.file.file_id",
    ),
    ({"n": 2}, "unsupported_parameter", "n"),
    ({"n": 0}, "invalid_value", "n"),
    ({"temperature": "hot"}, "invalid_type", "temperature"),
    ({"temperature": 3}, "invalid_value", "temperature"),
    ({"stream": "yes"}, "invalid_type", "stream"),
    ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    ({"stream": True, "stream_options": {"odd": 1}}, "unknown_parameter", "stream_options.odd"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "mutually_exclusive_parameters", "max_tokens"),
    ({"max_completion_tokens": 0}, "invalid_value", "max_completion_tokens"),
    ({"stop": ["a"] * 5}, "invalid_value", "stop"),
    ({"stop": [1]}, "invalid_type", "stop[0]"),
    ({"seed": 1.5}, "invalid_type", "seed"),
    ({"logit_bias": {"1": 200}}, "invalid_value", "logit_bias.1"),
    ({"top_logprobs": 2}, "invalid_value", "top_logprobs"),
    ({"metadata": {"k": 1}}, "invalid_type", "metadata.k"),
    ({"modalities": ["text", "audio"]}, "unsupported_parameter", "modalities[1]"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "unsupported_parameter", "audio"),
    ({"functions": []}, "unsupported_parameter", "functions"),
    ({"function_call": "auto"}, "unsupported_parameter", "function_call"),
    ({"web_search_options": {}}, "unsupported_parameter", "web_search_options"),
    ({"moderation": {"model": "m"}}, "unsupported_parameter", "moderation"),
    ({"tools": {}}, "invalid_type", "tools"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "unsupported_parameter", "tools[0].type"),
    ({"tools": [{"type": "function", "name": "f"}]}, "missing_required_parameter", "tools[0].function"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "invalid_value", "tools[0].function.name"),
    ({"tools": [FUNCTION, FUNCTION]}, "invalid_value", "tools[1].function.name"),
    ({"tools": [FUNCTION] * 129}, "invalid_value", "tools"),
    (choice("f"), "invalid_value", "tool_choice"),
    (choice({"function": {"name": "f"}}), "missing_required_parameter", "tool_choice.type"),
    (choice({"type": "function", "function": {"name": "g"}}), "invalid_value", "tool_choice.function.name"),
    (choice({"type": "custom", "custom": {"name": "f"}}), "unsupported_parameter", "tool_choice.type"),
    (choice({"type": "allowed_tools"}), "missing_required_parameter", "tool_choice.allowed_tools"),
    (
        choice({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}),
        "invalid_value",
        "tool_choice.allowed_tools.tools",
    ),
    ({"response_format": {}}, "missing_required_parameter", "response_format.type"),
    ({"response_format": {"type": "grammar"}}, "invalid_value", "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "missing_required_parameter", "response_format.json_schema"),
    (form(schema={}), "missing_required_parameter", "response_format.json_schema.name"),
    (form(name="a", odd=1), "unknown_parameter", "response_format.json_schema.odd"),
    ({"service_tier": "gold"}, "invalid_value", "service_tier"),
    ({"reasoning_effort": "heroic"}, "invalid_value", "reasoning_effort"),
]


@pytest.mark.parametrize(("fields", "code", "param"), BAD)
async def test_a_bad_request_is_refused_with_code_and_place(fields: dict[str, Any], code: str, param: str) -> None:
    agent = ScriptedAgent()
    async with serving(agent) as driver:
        answer = await driver.request("POST", PATH, json={"messages": HELLO, **fields})
    assert error_of(answer) == (400, code, param)
    assert agent.runs == []


async def test_the_official_client_raises_its_own_class_for_every_bad_request() -> None:
    """Whole or streamed, with code and param."""
    host = AgentFrameworkHost(ScriptedAgent(), channels=[ChatCompletionsChannel()])
    async with (
        LoopbackDriver(host.app) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client,
    ):
        for fields, code, param in BAD:
            if fields.get("messages", HELLO) is None:
                continue  # the client itself knows that there have to be some
            asked: dict[str, Any] = {"model": "m", "messages": HELLO, **fields}
            with pytest.raises(BadRequestError) as raised:
                await client.chat.completions.create(**asked)
            assert (raised.value.code, raised.value.param) == (code, param)
            assert raised.value.request_id


async def test_the_official_client_raises_a_failure_in_mid_stream() -> None:
    """With its code, by hand and in the helper."""
    host = AgentFrameworkHost(ScriptedAgent(every=["Hello", ValueError("secret")]), channels=[ChatCompletionsChannel()])
    async with (
        LoopbackDriver(host.app) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client,
    ):
        said: list[str | None] = []
        asked: dict[str, Any] = {"model": "m", "messages": HELLO}
        with pytest.raises(APIError) as raised:
            async for chunk in await client.chat.completions.create(**asked, stream=True):
                said.append(chunk.choices[0].delta.content)
        assert (said, raised.value.code) == (["", "Hello"], "server_error")
        with pytest.raises(APIError):
            async with client.chat.completions.stream(**asked) as stream:
                await stream.get_final_completion()


async def test_strangers_are_told_so_as_openai_does() -> None:
    """At the list of models, too."""
    keys = ApiKeys({"ada": hash_key(key := new_key())})
    host = AgentFrameworkHost(ScriptedAgent(), channels=[ChatCompletionsChannel()], auth=keys)
    async with LoopbackDriver(host.app) as driver:
        address: dict[str, Any] = {"base_url": f"{driver.base_url}/v1", "max_retries": 0}
        async with AsyncOpenAI(api_key="wrong", **address) as stranger, AsyncOpenAI(api_key=key, **address) as ada:
            for ask in (
                lambda: stranger.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}]),
                stranger.models.list,
            ):
                with pytest.raises(AuthenticationError) as raised:
                    await ask()
                assert (raised.value.status_code, raised.value.code) == (401, "invalid_api_key")
            assert (await ada.models.list()).data[0].id == "scripted"
            told = await ada.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert told.choices[0].message.content == "echo: hi"


async def test_too_many_messages_and_parts_are_too_many() -> None:
    part = {"type": "text", "text": "x"}
    async with serving(ScriptedAgent(), limits=Limits(max_input_items=2)) as driver:
        many = await driver.request("POST", PATH, json={"messages": HELLO * 3})
        wide = await driver.request("POST", PATH, json={"messages": [{"role": "user", "content": [part] * 9}]})
    assert error_of(many) == error_of(wide) == (413, "request_too_large", "messages")
