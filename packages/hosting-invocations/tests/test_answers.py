"""What comes back: whole and streamed, the same from one accumulator."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from hypothesis import given
from hypothesis import strategies as st
from invocation_parts import final, folded, hosting, invoke, refused, same, serving

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Finish, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, HostedRunResult


def update(*contents: Content | str, **more: Any) -> AgentResponseUpdate:
    made = [Content.from_text(each) if isinstance(each, str) else each for each in contents]
    fields: dict[str, Any] = {"contents": made, "role": "assistant", **more}
    return AgentResponseUpdate(**fields)


async def test_an_answer_names_its_session_and_says_its_text_twice() -> None:
    agent = ScriptedAgent(["Good ", "day", Finish("stop")])
    async with serving(agent) as driver:
        answer = await invoke(driver, "hi")
    body = answer.json()
    assert body["id"].startswith("inv_")
    assert body["session_id"] == answer.headers["x-session-id"]
    assert body["session_id"].startswith("ses_")
    assert same(body) == {
        "status": "completed",
        "output": "Good day",
        "messages": [{"role": "assistant", "content": [{"type": "text", "text": "Good day"}], "author": "scripted"}],
        "requests": [],
        "usage": None,
        "finish_reason": "stop",
    }


async def test_a_stream_tells_in_pieces_what_its_last_event_tells_whole() -> None:
    agent = ScriptedAgent(["Good ", "day"])
    async with serving(agent) as driver:
        answer = await invoke(driver, "hi", stream=True)
    assert [event.event for event in answer.events()] == ["started", "message", "delta", "delta", "completed"]
    assert folded(answer)["output"] == "Good day"
    assert answer.headers["x-session-id"] == folded(answer)["session_id"]
    assert answer.headers["x-request-id"].startswith("req_")


async def test_tokens_are_counted() -> None:
    usage = Content.from_usage({"input_token_count": 3, "output_token_count": 4})
    async with serving(ScriptedAgent(every=["hi", usage])) as driver:
        for stream in (False, True):
            body = await final(driver, "hi", stream=stream)
            assert body["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


async def test_tools_and_thoughts_are_not_shown_and_what_is_said_around_them_is_apart() -> None:
    steps = [
        "Let me see.",
        Content.from_text_reasoning(text="secret"),
        Content.from_function_call("c1", "look", arguments="{}"),
        Content.from_function_result("c1", result="secret"),
        "It is five.",
    ]
    async with serving(ScriptedAgent(every=steps)) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    assert whole["output"] == "Let me see.\nIt is five."
    assert len(whole["messages"]) == 2
    assert same(whole) == same(streamed)
    assert "secret" not in str(whole)


async def test_files_of_an_answer_are_shown_whole() -> None:
    picture = Content.from_uri("data:image/png;base64,iVBORw0KGgo=", media_type="image/png")
    async with serving(ScriptedAgent(every=["See: ", picture, "there."])) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    assert same(whole) == same(streamed)
    assert [part["type"] for part in whole["messages"][0]["content"]] == ["text", "file", "text"]
    assert whole["messages"][0]["content"][1] == {
        "type": "file",
        "url": "data:image/png;base64,iVBORw0KGgo=",
        "media_type": "image/png",
    }


async def test_text_that_takes_back_what_was_said_is_a_part_of_its_own_in_a_stream() -> None:
    steps = [update("Good"), update("Good day", merge_mode="replace"), update("No", merge_mode="replace")]
    async with serving(ScriptedAgent(steps)) as driver:
        body = await final(driver, "hi", stream=True)
    assert [part["text"] for part in body["messages"][0]["content"]] == ["Good day", "No"]


async def test_an_error_that_the_agent_reports_fails_the_answer_and_keeps_its_text_to_itself() -> None:
    steps = ["Hm", Content.from_error(message="secret", error_code="x")]
    async with serving(ScriptedAgent(every=steps)) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    assert same(whole) == same(streamed)
    assert (whole["status"], whole["error"]["code"]) == ("failed", "agent_error")
    assert "secret" not in str(whole)


async def test_odd_text_arrives_as_it_can_be_sent() -> None:
    odd = "a\ud83d b\u2028c\x85d \U0001f600"
    async with serving(ScriptedAgent(every=[odd])) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    assert same(whole) == same(streamed)
    assert whole["output"] == "a\ufffd b\u2028c\x85d \U0001f600"


STEPS = st.one_of(
    st.text(max_size=6),
    st.builds(Content.from_text_reasoning, text=st.just("thought")),
    st.just(Content.from_uri("https://example.com/a.png", media_type="image/png")),
    st.builds(Content.from_function_call, st.sampled_from(["c1", "c2"]), st.just("look"), arguments=st.just("{}")),
    st.builds(Content.from_function_result, st.sampled_from(["c1", "c2"]), result=st.just("r")),
    st.just(Content.from_usage({"input_token_count": 1, "output_token_count": 2})),
    st.builds(
        update,
        st.sampled_from(["x", "y z", ""]),
        message_id=st.sampled_from([None, "m1", "m2"]),
        author_name=st.sampled_from([None, "ada", "bob"]),
        role=st.sampled_from([None, "assistant", "user", "tool"]),
    ),
    st.builds(Finish, st.sampled_from(["stop", "length"])),
)


@given(steps=st.lists(STEPS, max_size=10))
async def test_a_stream_and_a_whole_answer_of_one_script_are_the_same(steps: list[Any]) -> None:
    async with serving(ScriptedAgent(every=steps)) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    forget_late_authors(whole, streamed)
    assert same(whole) == same(streamed)


def forget_late_authors(whole: dict[str, Any], streamed: dict[str, Any]) -> None:
    """Forget the authors of a whole answer who were named when a stream had begun their messages without them."""
    for told, begun in zip(whole["messages"], streamed["messages"], strict=False):
        if "author" not in begun:
            told.pop("author", None)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param(
            [
                update("x", message_id="m1", author_name="bob"),
                Finish("stop"),
                update("y", message_id="m1", author_name="bob"),
            ],
            [("assistant", "x"), ("assistant", "y")],
            id="somebody else says nothing in between",
        ),
        pytest.param(
            [update("x", message_id="m1"), update(role="tool"), update("y", message_id="m1")],
            [("assistant", "x"), ("assistant", "y")],
            id="a tool says nothing in between",
        ),
        pytest.param(
            [update("x", role=None), update("y", role="assistant")],
            [("assistant", "xy")],
            id="the role is named late",
        ),
        pytest.param(
            [update("x", role="user", author_name="ada"), update("y", role=None, author_name="bob")],
            [("user", "x"), ("assistant", "y")],
            id="another author names no role",
        ),
        pytest.param(
            [update("x", role="tool", message_id="m1"), update("y", role=None, message_id="m2")],
            [("assistant", "y")],
            id="what follows a tool names no role",
        ),
    ],
)
async def test_messages_begin_where_agent_framework_begins_them(steps: list[Any], told: list[tuple[str, str]]) -> None:
    async with serving(ScriptedAgent(every=steps)) as driver:
        for stream in (False, True):
            messages = (await final(driver, "hi", stream=stream))["messages"]
            assert [(each["role"], "".join(part["text"] for part in each["content"])) for each in messages] == told


async def test_messages_of_a_whole_response_stay_apart() -> None:
    def hook(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        return result.replace(AgentResponse(messages=[Message("assistant", ["One."]), Message("assistant", ["Two."])]))

    async with serving(ScriptedAgent(every="x"), response_hook=hook) as driver:
        for stream in (False, True):
            answer = await invoke(driver, "hi", stream=stream)
            body = answer.events()[-1].json() if stream else answer.json()
            assert body["output"] == "One.\nTwo."


async def test_an_author_who_is_named_late_is_told_by_a_whole_answer_only() -> None:
    async with serving(ScriptedAgent(every=[update("x"), "y"])) as driver:
        whole, streamed = await final(driver, "hi"), await final(driver, "hi", stream=True)
    assert whole["messages"][0]["author"] == "scripted"
    assert "author" not in streamed["messages"][0]
    forget_late_authors(whole, streamed)
    assert same(whole) == same(streamed)


def shout(updated: AgentResponseUpdate) -> AgentResponseUpdate | None:
    return None if updated.text == "secret" else replace_text(updated)


def replace_text(updated: AgentResponseUpdate) -> AgentResponseUpdate:
    return update(updated.text.upper())


async def test_the_end_of_a_stream_is_folded_from_the_hooked_updates() -> None:
    agent = ScriptedAgent(every=["good ", "secret", "day"])
    async with serving(agent, stream_update_hook=shout) as driver:
        body = await final(driver, "hi", stream=True)
        assert body["output"] == "GOOD DAY"
        assert (await final(driver, "hi"))["output"] == "good secretday"


async def test_a_response_hook_has_the_last_word_on_the_final_body() -> None:
    def hook(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        assert (channel_name, request.operation) == ("invocations", "invoke")
        return result.replace(AgentResponse(messages=[Message("assistant", ["[redacted]"])]))

    async with serving(ScriptedAgent(every="secret"), response_hook=hook) as driver:
        assert (await final(driver, "hi"))["output"] == "[redacted]"
        *_, last = (await invoke(driver, "hi", stream=True)).events()
    assert (last.event, last.json()["output"]) == ("completed", "[redacted]")


async def test_a_run_hook_sees_what_was_asked_and_changes_the_request() -> None:
    seen: list[Any] = []

    async def hook(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        seen.append((protocol_request, dict(request.metadata), request.attributes["invocation_id"]))
        return replace(request, input="something else")

    async with serving(ScriptedAgent(), run_hook=hook) as driver:
        body = await final(driver, "hi", metadata={"a": 1})
    assert body["output"] == "echo: something else"
    assert seen == [({"input": "hi", "metadata": {"a": 1}}, {"a": 1}, body["id"])]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_that_fails_tells_an_id_and_nothing_else(stream: bool) -> None:
    async with serving(ScriptedAgent(every=["half ", RuntimeError("secret")])) as driver:
        answer = await invoke(driver, "hi", stream=stream)
    assert "secret" not in answer.text
    if not stream:
        assert refused(answer) == (500, "run_failed", None)
        return
    body = folded(answer)
    assert (body["status"], body["output"], body["error"]["code"]) == ("failed", "half ", "run_failed")
    assert "err_" in body["error"]["detail"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_its_run(stream: bool) -> None:
    gate = Gate()
    agent = ScriptedAgent(["a", gate, "b"])
    async with LoopbackDriver(hosting(agent).app) as driver:
        asking = asyncio.ensure_future(read(driver, stream))
        await gate.wait_reached()
        asking.cancel()
        await asyncio.wait([asking])
        await agent.runs[0].wait_ended()
    assert agent.runs[0].cancelled


async def read(driver: LoopbackDriver, stream: bool) -> None:
    async with driver.stream("POST", "/invocations", json={"input": "hi", "stream": stream}) as answer:
        await answer.read()


async def test_a_drain_ends_streams_with_an_event_that_says_so() -> None:
    gate = Gate()
    host = hosting(ScriptedAgent(["half ", gate, "b"]), host={"limits": Limits(drain_timeout=0.01)})
    async with InMemoryDriver(host.app, lifespan=False) as driver:
        async with host:
            asking = asyncio.ensure_future(invoke(driver, "hi", stream=True))
            await gate.wait_reached()
        body = folded(await asking)
    assert (body["status"], body["error"]["code"], body["output"]) == ("cancelled", "drained", "half ")


async def test_a_host_that_drains_takes_no_new_work() -> None:
    host = hosting(ScriptedAgent())
    async with LoopbackDriver(host.app) as driver:
        host.begin_drain()
        answer = await invoke(driver, "hi")
    assert refused(answer) == (503, "draining", None)
    assert answer.headers["retry-after"]


async def test_an_answer_that_grows_too_large_is_cut_and_says_so() -> None:
    limits = Limits(max_response_bytes=2_000)
    async with serving(ScriptedAgent(every=["x" * 500] * 20), host={"limits": limits}) as driver:
        body = folded(await invoke(driver, "hi", stream=True))
    assert (body["status"], body["error"]["code"]) == ("failed", "response_too_large")
