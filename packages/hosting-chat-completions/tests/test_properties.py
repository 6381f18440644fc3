"""Any body at all gets a completion or a well-formed refusal; any stream makes the body that is stored."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agent_framework import Agent, AgentResponse, AgentResponseUpdate, Content
from chat_rules import PATH, check_completion, error_of, folded
from hypothesis import example, given
from hypothesis import strategies as st

from agent_framework_hosting.errors import RunError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, InMemoryDriver, ScriptedChatClient
from agent_framework_hosting_chat_completions._outbound.machine import ChatFields, ChatMachine, fold, render
from agent_framework_hosting_chat_completions._outbound.showing import Showing
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel

WORDS = st.text(max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
PARTS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "refusal", "image_url", "file", "input_audio"])},
    optional={"text": WORDS, "refusal": WORDS, "image_url": st.just({"url": "http://x/y"}), "file": JSON},
)
CALLS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "appr_1_0"]),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["f", "request_approval"]), "arguments": st.sampled_from(["{}", "["])}
        ),
    },
    optional={"type": st.just("function")},
)
MESSAGES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool", "function", "odd"])},
    optional={
        "content": WORDS | st.lists(PARTS, max_size=3) | st.none() | st.just('{"approved": true}'),
        "tool_calls": st.lists(CALLS, max_size=2) | JSON,
        "tool_call_id": st.sampled_from(["a", "b", "appr_1_0"]),
        "refusal": WORDS | st.none(),
        "name": WORDS,
    },
)
FIELDS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, max_size=4) | JSON},
    optional={
        "stream": st.booleans(),
        "stream_options": st.just({"include_usage": True}) | JSON,
        "temperature": st.floats(0, 2) | JSON,
        "tools": st.lists(st.just({"type": "function", "function": {"name": "f"}}), max_size=1) | JSON,
        "tool_choice": st.sampled_from(["auto", "none", "required"]) | JSON,
        "response_format": JSON,
        "metadata": st.dictionaries(WORDS, WORDS, max_size=2) | JSON,
        "stop": JSON,
        "max_tokens": st.integers(),
        "chat_id": JSON,
    },
)


def check(answer: Answer) -> None:
    """Check that an answer is one that the protocol knows."""
    if answer.status != 200:
        assert 400 <= answer.status < 500, answer
        error_of(answer)
    elif answer.headers["content-type"] == "application/json":
        check_completion(answer.json())
    else:
        folded(answer.body)


async def exchange(body: bytes) -> Answer:
    """Send a body to a real agent whose model answers everything."""
    agent = Agent(ScriptedChatClient(every=["to ", "order"]))
    channel = ChatCompletionsChannel(session_header="x-session-id", requests_as="tool_calls")
    host = AgentFrameworkHost(agent, channels=[channel], limits=Limits(max_json_depth=16))
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("POST", PATH, body=body, headers={"x-session-id": "tea"})
        assert driver.errors == []
    return answer


@given(FIELDS)
@example({"messages": [{"role": "user", "content": "hi"}], "\ud800": 1})
@example({"messages": [{"role": "user", "content": "\x00"}], "stream": True, "\r\nx-a: b": 1})
def test_any_object_gets_a_completion_or_a_refusal(fields: dict[str, Any]) -> None:
    """Near the protocol and far from it; nothing is a 500."""
    check(asyncio.run(exchange(json.dumps(fields).encode("utf-8", "surrogatepass"))))


@given(JSON | st.binary(max_size=50))
def test_any_bytes_get_a_completion_or_a_refusal(value: Any) -> None:
    """JSON that is no object, and bytes that are no JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode("utf-8", "surrogatepass")
    check(asyncio.run(exchange(body)))


REFUSED: dict[str, Any] = {"core": {"model_output_kind": "refusal"}}


def refused(said: str) -> Content:
    return Content.from_text(said, additional_properties=REFUSED)


def thought(said: str) -> Content:
    return Content.from_text_reasoning(text=said)


def called(call_id: str, name: str, arguments: str) -> Content:
    return Content.from_function_call(call_id, name, arguments=arguments)


def answered(call_id: str) -> Content:
    return Content.from_function_result(call_id, result="r")


def updated(contents: list[Content], role: Any, message_id: str | None, merge_mode: Any) -> AgentResponseUpdate:
    return AgentResponseUpdate(contents=contents, role=role, message_id=message_id, merge_mode=merge_mode)


CONTENTS = st.one_of(
    st.builds(Content.from_text, WORDS),
    st.builds(refused, WORDS),
    st.builds(thought, WORDS),
    st.builds(
        called, st.sampled_from(["", "a", "b"]), st.sampled_from("fg"), st.sampled_from(["", '{"a"', ": 1}", "{}"])
    ),
    st.builds(answered, st.sampled_from(["a", "b"])),
    st.builds(Content.from_usage, st.just({"input_token_count": 1, "output_token_count": 2})),
    st.builds(Content.from_uri, st.just("https://x/y.png"), media_type=st.just("image/png")),
)
UPDATES = st.lists(
    st.builds(
        updated,
        st.lists(CONTENTS, max_size=3),
        st.sampled_from(["assistant", "tool"]),
        st.sampled_from([None, "1", "2"]),
        st.sampled_from([None, "append", "replace"]),
    ),
    max_size=6,
)


@given(UPDATES)
def test_a_stream_makes_the_body_that_is_stored_and_so_does_its_replay(updates: list[AgentResponseUpdate]) -> None:
    """Whatever an agent says, in whatever pieces."""
    showing = Showing(completion_id="chatcmpl-1", client_tools=frozenset("f"), show_reasoning=True)
    fields = ChatFields(created=1, model="m", showing=showing, echo={})
    machine = ChatMachine(include_usage=True, **fields)
    stream = machine.start() + b"".join(machine.feed(update) for update in updates)
    try:
        body = machine.complete(None).body
    except RunError:  # a call that was sent has changed
        return
    assert folded(stream + machine.closing()) == body
    assert folded(fold(body, include_usage=True)) == body


@given(UPDATES)
def test_a_stream_says_what_the_whole_answer_says(updates: list[AgentResponseUpdate]) -> None:
    """Where nothing is taken back, and every call is the client's to tell apart."""
    for index, update in enumerate(updates):
        update.merge_mode = None
        update.contents = [content for content in update.contents if content.type != "function_call"]
        update.message_id = update.message_id or f"own {index}"
    fields = ChatFields(created=1, model="m", showing=Showing(completion_id="chatcmpl-1", show_reasoning=True))
    machine = ChatMachine(**fields)
    stream = machine.start() + b"".join(machine.feed(update) for update in updates)
    machine.complete(None)
    whole = render(AgentResponse.from_updates(updates), **fields).body
    assert folded(stream + machine.closing())["choices"] == whole["choices"]


@given(UPDATES)
def test_a_whole_answer_is_a_completion(updates: list[AgentResponseUpdate]) -> None:
    """And what a hook shapes is streamed as it is whole."""
    showing = Showing(completion_id="chatcmpl-1", client_tools=frozenset("f"), show_reasoning=True)
    fields = ChatFields(created=1, model="m", showing=showing, echo={})
    response = AgentResponse[Any](messages=AgentResponse.from_updates(updates).messages)
    machine = ChatMachine(holds_back=True, **fields)
    stream = machine.start() + b"".join(machine.feed(update) for update in updates)
    machine.complete(response)
    told = folded(stream + machine.closing())["choices"]
    whole = render(response, **fields).body
    check_completion(whole)
    for choices in (told, whole["choices"]):
        for each in choices[0]["message"].get("tool_calls") or ():
            each["id"] = each["id"][:5]  # those that the agent left out are random
    assert told == whole["choices"]
