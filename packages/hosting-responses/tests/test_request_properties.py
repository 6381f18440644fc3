"""Whatever comes in, a request or an error of the caller's comes out; and what was said arrives word for word."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_framework_hosting.errors import RequestError
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses._inbound.fields import FIELDS
from agent_framework_hosting_responses._inbound.input import LATER_ITEMS, read_items
from agent_framework_hosting_responses._inbound.policy import apply_policy
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse

LIMITS = Limits(max_json_depth=16, max_input_items=50)

words = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = [
    *("type", "role", "content", "text", "refusal", "call_id", "id", "name", "arguments", "output", "error"),
    *("summary", "encrypted_content", "parameters", "strict", "format", "schema", "mode", "tools", "effort"),
    *("image_url", "file_id", "file_data", "file_url", "filename", "detail", "input_audio", "annotations", "input"),
    *("outputs", "code", "result", "action", "actions", "operation", "queries", "results", "pending_safety_checks"),
]
KINDS = [
    *sorted(read_items() | LATER_ITEMS),
    *("input_text", "output_text", "refusal", "input_image", "summary_text", "reasoning_text", "function", "text"),
    *("allowed_tools", "json_schema", "json_object", "user", "assistant", "system", "developer", "auto", "low", "f"),
    *("input_file", "input_audio", "logs", "image", "url_citation", "file_path", "custom", "grammar", "AAAA", "wav"),
    *("data:image/png;base64,AAAA", "data:,", "https://example.com/a.png", "af1.0.x", "computer_screenshot"),
]
near = st.recursive(
    scalars | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6),
    max_leaves=20,
)
bodies = st.dictionaries(st.sampled_from(sorted(FIELDS)), near, max_size=6) | st.fixed_dictionaries(
    {"input": st.lists(near, max_size=6)}, optional=dict.fromkeys(("tools", "tool_choice", "text", "reasoning"), near)
)


def check_refusal(error: RequestError) -> None:
    """Check that an error blames the caller, briefly, in words that can be sent."""
    assert 400 <= error.status < 500
    assert 0 < len(error.message.encode()) < 1000
    assert len((error.param or "").encode()) < 1000


def settle(body: bytes | dict[str, Any]) -> ResponsesRequest | None:
    """Parse and apply every policy; anything but a `RequestError` fails the test."""
    try:
        request = parse(body, limits=LIMITS)
    except RequestError as error:
        check_refusal(error)
        return None
    assert len(request.messages) == len(request.origins)
    json.dumps(request.echo, allow_nan=False).encode()
    for policy in ("ignore", "append", "refuse"):
        try:
            apply_policy(request, caller_instructions=policy)
        except RequestError as error:
            check_refusal(error)
    return request


@settings(deadline=None)
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"input":"\\ud83d"}')
@example(b'{"input":"a","input":5}')
@example(b'{"max_output_tokens":1' + b"0" * 4000 + b"}")
@example(b'{"max_output_tokens":1' + b"0" * 9000 + b"}")
@example(b'{"temperature":-1e-400,"input":"x"}')
@example("\ufeff{}".encode())
def test_any_bytes_give_a_request_or_an_error_of_the_callers(body: bytes) -> None:
    """Never another exception."""
    settle(body)


@settings(deadline=None)
@given(bodies)
def test_any_body_that_is_almost_right_gives_a_request_or_an_error_of_the_callers(body: dict[str, Any]) -> None:
    """The same for bodies made of the protocol's own words, as bytes and as a mapping."""
    settle(json.dumps(body).encode())
    settle(body)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str]]:
    """Return valid items, and the texts that must arrive, in their order."""
    items: list[dict[str, Any]] = []
    said: list[str] = []
    for index in range(draw(st.integers(1, 8))):
        text = draw(words)
        said.append(text)
        match draw(st.integers(0, 4)):
            case 0:
                items.append({"role": draw(st.sampled_from(["user", "system", "assistant"])), "content": text})
            case 1:
                items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
            case 2:
                part = {"type": "refusal", "refusal": text}
                items.append({"type": "message", "role": "assistant", "id": "msg", "content": [part]})
            case 3:
                items.append({"type": "function_call", "call_id": f"c{index}", "name": "f", "arguments": "{}"})
                items.append({"type": "function_call_output", "call_id": f"c{index}", "output": text})
            case _:
                call = {"type": "mcp_call", "id": f"m{index}", "name": "f", "arguments": "{}", "server_label": "a"}
                items.append({**call, "output": text})
    return items, said


@settings(deadline=None)
@given(histories())
def test_what_was_said_arrives_word_for_word_and_in_order(history: tuple[list[dict[str, Any]], list[str]]) -> None:
    """Valid bodies are requests, and nothing is lost or changed on the way."""
    items, said = history
    request = settle(json.dumps({"input": items}).encode())
    assert request is not None
    arrived = [
        content.text if content.type == "text" else content.result
        for message in request.messages
        for content in message.contents
        if content.type != "function_call"
    ]
    assert arrived == said


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=5), st.randoms())
def test_every_result_stands_right_behind_the_message_with_its_call(turns: list[list[int]], random: Any) -> None:
    """However calls and outputs are interleaved, providers that insist on the order are satisfied."""
    items: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
    for turn, calls in enumerate(turns):
        waiting: list[str] = []
        for number, _ in enumerate(calls):
            items.append({"type": "function_call", "call_id": f"{turn}.{number}", "name": "f", "arguments": "{}"})
            waiting.append(f"{turn}.{number}")
            if random.random() < 0.5:
                items.append({"type": "function_call_output", "call_id": waiting.pop(0), "output": ""})
        items += [{"type": "function_call_output", "call_id": left, "output": ""} for left in waiting]
    messages = parse({"input": items}).messages[1:]
    assert [message.role for message in messages] == ["assistant", "tool"] * (len(messages) // 2)
    for asked, answered in zip(messages[::2], messages[1::2], strict=True):
        assert {content.call_id for content in asked.contents} == {content.call_id for content in answered.contents}
