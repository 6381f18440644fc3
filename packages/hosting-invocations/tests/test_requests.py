"""What is taken, and what is refused: at which place, with which code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_framework import Message
from hypothesis import given
from hypothesis import strategies as st
from invocation_parts import final, folded, hosting, invoke, refused, serving

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, InMemoryDriver, LoopbackDriver, ScriptedAgent, recall

PIXEL = "iVBORw0KGgo="


async def heard(input: Any) -> list[Message]:
    """Return what the agent gets."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        await final(driver, input)
    return agent.runs[0].messages


async def test_text_is_a_message_of_the_user() -> None:
    (message,) = await heard("hello")
    assert (message.role, message.text) == ("user", "hello")


async def test_messages_are_handed_on_with_their_roles_and_authors() -> None:
    first, second, third = await heard(
        [{"content": "one"}, {"role": "assistant", "content": "two", "author": "bot"}, {"role": "user", "content": "3"}]
    )
    assert [each.role for each in (first, second, third)] == ["user", "assistant", "user"]
    assert [each.text for each in (first, second, third)] == ["one", "two", "3"]
    assert second.author_name == "bot"


async def test_pictures_and_files_reach_the_agent_as_content() -> None:
    (message,) = await heard(
        [
            {
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "file", "url": "https://example.com/a.png"},
                    {"type": "file", "data": PIXEL, "media_type": "image/png"},
                    {"type": "file", "url": f"data:image/png;base64,{PIXEL}"},
                    {"type": "file", "data": "aGk=", "name": "notes.txt"},
                ]
            }
        ]
    )
    assert [each.type for each in message.contents] == ["text", "uri", "data", "data", "data"]
    kinds = [each.media_type for each in message.contents[1:]]
    assert kinds == ["image/png", "image/png", "image/png", "text/plain"]
    assert message.contents[2].uri == f"data:image/png;base64,{PIXEL}"


async def test_a_text_body_is_the_message_and_headers_say_the_rest() -> None:
    agent = ScriptedAgent(every=recall)
    async with serving(agent) as driver:

        async def say(text: str, **headers: str) -> Answer:
            kind = {"content-type": "text/plain; charset=utf-8"}
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await driver.request("POST", "/invocations", body=text.encode(), headers={**kind, **named})

        first = await say("grüß dich")
        session = first.headers["x-session-id"]
        assert session == first.json()["session_id"]
        second = await say("and?", x_session_id=session, accept="text/event-stream")
    assert folded(second)["output"] == "grüß dich | and?"
    assert second.headers["x-session-id"] == session


@pytest.mark.parametrize(
    ("accept", "stream", "is_streamed"),
    [
        ("text/event-stream", None, True),
        ("text/event-stream;q=0.9", None, True),
        ("application/json, text/event-stream", None, False),
        ("*/*", None, False),
        ("text/event-stream", False, False),
        ("application/json", True, True),
    ],
)
async def test_the_member_stream_says_whether_events_are_wanted_else_the_header_accept(
    accept: str, stream: bool | None, is_streamed: bool
) -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        answer = await invoke(driver, "hi", stream=stream, headers={"accept": accept})
    assert answer.headers["content-type"].startswith("text/event-stream" if is_streamed else "application/json")


@pytest.mark.parametrize("path", ["/invocations", "/invocations/"])
async def test_it_answers_with_and_without_a_slash_over_real_http(path: str) -> None:
    async with LoopbackDriver(hosting(ScriptedAgent()).app) as driver:
        answer = await driver.request("POST", path, json={"input": "hi"})
    assert answer.json()["output"] == "echo: hi"


REFUSED: dict[str, tuple[Any, tuple[int, str, str | None]]] = {
    "nothing": ({}, (400, "missing_required_parameter", "input")),
    "null": ({"input": None}, (400, "missing_required_parameter", "input")),
    "empty text": ({"input": ""}, (400, "invalid_value", "input")),
    "no messages": ({"input": []}, (400, "invalid_value", "input")),
    "an object": ({"input": {"a": 1}}, (400, "invalid_type", "input")),
    "a number": ({"input": 5}, (400, "invalid_type", "input")),
    "another word for it": ({"prompt": "hi"}, (400, "unknown_parameter", "prompt")),
    "an unknown member": ({"input": "hi", "loud": True}, (400, "unknown_parameter", "loud")),
    "an item that is none": ({"input": ["hi"]}, (400, "invalid_type", "input[0]")),
    "no content": ({"input": [{"role": "user"}]}, (400, "missing_required_parameter", "input[0].content")),
    "instructions": ({"input": [{"role": "system", "content": "x"}]}, (400, "invalid_value", "input[0].role")),
    "a kind of part that is a list": (
        {"input": [{"role": "user", "content": [{"type": []}]}]},
        (400, "invalid_value", "input[0].content[0].type"),
    ),
    "a kind of part that is an object": (
        {"input": [{"role": "user", "content": [{"type": {"text": "x"}}]}]},
        (400, "invalid_value", "input[0].content[0].type"),
    ),
    "another role": ({"input": [{"role": "tool", "content": "x"}]}, (400, "invalid_value", "input[0].role")),
    "a member too many": ({"input": [{"content": "x", "id": 1}]}, (400, "unknown_parameter", "input[0].id")),
    "an unknown part": (
        {"input": [{"content": [{"type": "image"}]}]},
        (400, "invalid_value", "input[0].content[0].type"),
    ),
    "a file nowhere": (
        {"input": [{"content": [{"type": "file"}]}]},
        (400, "invalid_value", "input[0].content[0]"),
    ),
    "a file of this machine": (
        {"input": [{"content": [{"type": "file", "url": "file:///etc/passwd"}]}]},
        (400, "invalid_value", "input[0].content[0].url"),
    ),
    "a media type that is none": (
        {"input": [{"content": [{"type": "file", "data": "aGk=", "media_type": "a/b;base64,x"}]}]},
        (400, "invalid_value", "input[0].content[0].media_type"),
    ),
    "stream as text": ({"input": "hi", "stream": "yes"}, (400, "invalid_type", "stream")),
    "metadata as text": ({"input": "hi", "metadata": "x"}, (400, "invalid_type", "metadata")),
    "a session without a name": ({"input": "hi", "session_id": ""}, (400, "invalid_value", "session_id")),
    "a session of two lines": ({"input": "hi", "session_id": "a\nb"}, (400, "invalid_value", "session_id")),
    "input and answers": (
        {"input": "hi", "responses": [{"request_id": "r", "approved": True}]},
        (400, "invalid_value", "responses"),
    ),
    "no answers": ({"responses": []}, (400, "missing_required_parameter", "input")),
    "an answer that says nothing": ({"responses": [{"request_id": "r"}]}, (400, "invalid_value", "responses[0]")),
    "an answer that says two things": (
        {"responses": [{"request_id": "r", "approved": True, "data": 1}]},
        (400, "invalid_value", "responses[0]"),
    ),
    "an answer to nothing": (
        {"responses": [{"request_id": "r", "approved": True}]},
        (400, "request_not_found", "responses[0].request_id"),
    ),
    "half an approval": (
        {"responses": [{"request_id": "r", "approved": "yes"}]},
        (400, "invalid_type", "responses[0].approved"),
    ),
    "two answers to one": (
        {"responses": [{"request_id": "r", "data": 1}, {"request_id": "r", "data": 2}]},
        (400, "invalid_value", "responses[1].request_id"),
    ),
}


@pytest.mark.parametrize(("body", "told"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_cannot_be_served_is_refused_at_its_place_before_anything_runs(
    body: dict[str, Any], told: tuple[int, str, str | None], stream: bool
) -> None:
    agent = ScriptedAgent()
    async with serving(agent) as driver:
        more = {"stream": True} if stream and "stream" not in body else {}
        answer = await driver.request("POST", "/invocations", json={**body, **more})
    assert refused(answer) == told
    assert not agent.runs


@pytest.mark.parametrize(
    ("data", "headers", "told"),
    [
        (b"", {}, (400, "invalid_request", None)),
        (b"{", {}, (400, "invalid_request", None)),
        (b"[]", {}, (400, "invalid_type", None)),
        (b'{"input": NaN}', {}, (400, "invalid_request", None)),
        (b"\xff", {"content-type": "text/plain"}, (400, "invalid_request", None)),
        (b" ", {"content-type": "text/plain"}, (400, "invalid_request", None)),
        (b"hi", {"content-type": "application/x-www-form-urlencoded"}, (415, "unsupported_media_type", "Content-Type")),
        (b'{"input": "hi"}', {"x-session-id": "a b"}, (400, "invalid_value", "x-session-id")),
        (b'{"input": "hi"}', {"x-session-id": "a"}, (404, "session_not_found", "x-session-id")),
        (b'{"input": "hi", "session_id": "a"}', {"x-session-id": "a"}, (404, "session_not_found", "session_id")),
        (b'{"input": "hi"}', [("x-session-id", "a"), ("x-session-id", "b")], (400, "invalid_value", "x-session-id")),
        (b'{"input": "hi", "session_id": "a"}', {"x-session-id": "b"}, (400, "invalid_value", "session_id")),
        (b'{"input": "hi"}', {"idempotency-key": ""}, (400, "invalid_request", "Idempotency-Key")),
        (b"x" * 2_000, {}, (413, "request_too_large", None)),
        (b'{"input": ' + b"[" * 40 + b"]" * 40 + b"}", {}, (400, "invalid_request", None)),
        (b'{"input": [1, 2, 3, 4, 5]}', {}, (413, "request_too_large", "input")),
    ],
)
async def test_bodies_and_headers_that_cannot_be_read_are_refused(
    data: bytes, headers: Any, told: tuple[int, str, str | None]
) -> None:
    limits = Limits(max_request_bytes=1_000, max_json_depth=20, max_input_items=4)
    async with serving(ScriptedAgent(), host={"limits": limits}) as driver:
        answer = await driver.request("POST", "/invocations", body=data, headers=headers)
    assert refused(answer) == told


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/invocations", (405, "method_not_allowed", None)),
        ("DELETE", "/invocations", (405, "method_not_allowed", None)),
        ("POST", "/invocations/openapi.json", (405, "method_not_allowed", None)),
        ("POST", "/invocations/ses_1", (404, "not_found", None)),
    ],
)
async def test_other_methods_and_paths_are_problems_too(
    method: str, path: str, told: tuple[int, str, str | None]
) -> None:
    async with serving(ScriptedAgent()) as driver:
        answer = await driver.request(method, path)
    assert refused(answer) == told
    assert ("allow" in answer.headers) == (answer.status == 405)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda child: st.lists(child, max_size=4) | st.dictionaries(st.text(max_size=8), child, max_size=4),
    max_leaves=12,
)
WORDS = ["input", "responses", "session_id", "stream", "metadata", "role", "content", "type", "text", "file", "url"]
NEAR = st.recursive(
    JSON | st.sampled_from(["user", "system", "text", "file", "ses_0"]),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.sampled_from(WORDS), child, max_size=5),
    max_leaves=16,
)


@given(data=st.binary(max_size=200) | NEAR.map(lambda value: json.dumps(value).encode()))
async def test_no_body_is_answered_with_anything_but_an_answer_or_a_shaped_refusal(data: bytes) -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        await is_answered_or_refused(driver, data)


async def is_answered_or_refused(driver: InMemoryDriver, data: bytes) -> None:
    answer = await driver.request("POST", "/invocations", body=data)
    if answer.status == 200:
        streamed = answer.headers["content-type"].startswith("text/event-stream")
        assert (folded(answer) if streamed else answer.json())["output"] == "ok"
    else:
        status, _, _ = refused(answer)
        assert 400 <= status < 500
