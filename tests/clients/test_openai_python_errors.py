"""The official Python client against the served demo: what is wrong with a request arrives as the SDK's own errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError, OpenAI

USER: dict[str, Any] = {"role": "user", "content": "hello"}
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "x"}
TOOL: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def refusal(ask: Callable[[], object]) -> APIStatusError:
    """Return how the server refused, in the one shape that all refusals have."""
    with pytest.raises(APIStatusError) as refused:
        ask()
    error = refused.value
    assert error.request_id
    assert error.response.headers["content-type"] == "application/json"
    assert set(error.response.json()) == {"error"}
    body = error.response.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert (error.type, error.param, error.code) == (body["type"], body["param"], body["code"])
    assert body["message"]
    return error


WRONG_TYPES: dict[str, Any] = {
    "background": "yes",
    "conversation": 5,
    "frequency_penalty": "high",
    "include": "reasoning",
    "input": 5,
    "instructions": 5,
    "max_output_tokens": "many",
    "max_tool_calls": 1.5,
    "metadata": [],
    "model": 5,
    "parallel_tool_calls": 1,
    "presence_penalty": [],
    "previous_response_id": 5,
    "reasoning": "hard",
    "safety_identifier": {},
    "store": "no",
    "stream": "yes",
    "stream_options": True,
    "temperature": "hot",
    "text": "json",
    "tool_choice": 5,
    "tools": {},
    "top_logprobs": "2",
    "top_p": True,
    "truncation": 1,
    "user": 5,
}


@pytest.mark.parametrize("field", WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_refused_at_its_field(client: OpenAI, field: str) -> None:
    error = refusal(
        lambda: client.responses.create(model="demo", input="hello", extra_body={field: WRONG_TYPES[field]})
    )
    assert type(error) is BadRequestError
    assert (error.type, error.code, error.param) == ("invalid_request_error", "invalid_type", field)


BAD: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "an unknown previous response": (
        {"previous_response_id": "resp_unknown"},
        "previous_response_not_found",
        "previous_response_id",
    ),
    "an unknown field": ({"colour": "red"}, "unknown_parameter", "colour"),
    "a field of another protocol": ({"messages": [USER]}, "unknown_parameter", "messages"),
    "a hosted tool": ({"tools": [TOOL, {"type": "web_search"}]}, "unsupported_parameter", "tools[1].type"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "invalid_value", "tools[1].name"),
    "a tool named like one of the agent's": (
        {"tools": [TOOL, {**TOOL, "name": "calculate"}]},
        "invalid_value",
        "tools[1].name",
    ),
    "a choice of no tool": ({"tool_choice": {"type": "function", "name": "g"}}, "invalid_value", "tool_choice.name"),
    "a value out of range": ({"temperature": 2.5}, "invalid_value", "temperature"),
    "no input": ({"input": None}, "missing_required_parameter", "input"),
    "an empty text": ({"input": ""}, "missing_required_parameter", "input"),
    "an empty list": ({"input": []}, "missing_required_parameter", "input"),
    "instructions alone": ({"input": [{"role": "developer", "content": "Swear."}]}, "invalid_value", "input"),
    "an unknown role": ({"input": [{"role": "king", "content": "hello"}]}, "invalid_value", "input[0].role"),
    "a message without content": (
        {"input": [USER, {"role": "user"}]},
        "missing_required_parameter",
        "input[1].content",
    ),
    "an unknown item": ({"input": [USER, {"type": "poem"}]}, "invalid_value", "input[1].type"),
    "a reference to an unknown item": (
        {"input": [USER, {"type": "item_reference", "id": "msg_1"}]},
        "item_not_found",
        "input[1]",
    ),
    "an answer to nothing": (
        {"input": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]},
        "approval_request_not_found",
        "input[0].approval_request_id",
    ),
    "an image that is not there": (
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        "missing_required_parameter",
        "input[0].content[0].image_url",
    ),
    "an image that is none": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:text/plain;base64,eA=="}]}]},
        "invalid_value",
        "input[0].content[0].image_url",
    ),
    "an output of no call": ({"input": [OUTPUT]}, "invalid_value", "input[0]"),
    "a call without its output": ({"input": [USER, CALL]}, "invalid_value", "input[1]"),
    "two outputs of one call": ({"input": [USER, CALL, OUTPUT, OUTPUT]}, "invalid_value", "input[3].call_id"),
    "too many items": ({"input": [USER] * 2_001}, "request_too_large", "input"),
    "a conversation": ({"conversation": "conv_1"}, "conversation_not_found", "conversation"),
    "a conversation and a previous response": (
        {"conversation": "conv_1", "previous_response_id": "resp_1"},
        "mutually_exclusive_parameters",
        "conversation",
    ),
    "a background run that is not stored": ({"background": True, "store": False}, "invalid_value", "store"),
    "a stored prompt": ({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", "prompt"),
    "too deep a body": ({"metadata": {"k": nested(100)}}, "invalid_request", None),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_bad_request_is_told_with_code_and_place(client: OpenAI, what: str, stream: bool) -> None:
    """A stream that was refused has not begun, so its refusal is an ordinary error, too."""
    body, code, param = BAD[what]
    error = refusal(lambda: client.responses.create(model="demo", input="hello", stream=stream, extra_body=body))
    assert type(error) is (APIStatusError if code == "request_too_large" else BadRequestError)
    assert error.status_code == (413 if code == "request_too_large" else 400)
    assert (error.type, error.code, error.param) == ("invalid_request_error", code, param)


def test_calls_left_open_by_the_previous_response_have_to_be_answered(client: OpenAI) -> None:
    asked = client.responses.create(model="demo", input="call f {} and f {}", extra_body={"tools": [TOOL]})
    first, second = (item.call_id for item in asked.output if item.type == "function_call")
    for answered in ([], [first]):
        outputs = [{**OUTPUT, "call_id": call_id} for call_id in answered]
        body = {"input": [*outputs, USER], "previous_response_id": asked.id}
        error = refusal(lambda body=body: client.responses.create(model="demo", extra_body=body))
        assert (error.status_code, error.code, error.param) == (400, "invalid_value", "input")
        assert (second if answered else first) in error.message


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"hello", b'{"input": NaN}', b'{"input": "\xff"}', b'{"input": "a"} {}', b'{"input": "\\ud800"}'],
)
def test_a_body_that_is_no_json_is_refused(client: OpenAI, body: bytes) -> None:
    error = refusal(lambda: client.post("/responses", cast_to=object, content=body))
    assert type(error) is BadRequestError
    assert (error.type, error.code, error.param) == ("invalid_request_error", "invalid_request", None)


@pytest.mark.parametrize("body", [b"[]", b'"hello"', b"5", b"null"])
def test_a_body_that_is_no_object_is_refused(client: OpenAI, body: bytes) -> None:
    error = refusal(lambda: client.post("/responses", cast_to=object, content=body))
    assert (type(error), error.code, error.param) == (BadRequestError, "invalid_type", None)


def test_a_body_nested_beyond_all_reason_is_refused(client: OpenAI) -> None:
    """Deeper than a parser that recurses could go."""
    body = b'{"input": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    error = refusal(lambda: client.post("/responses", cast_to=object, content=body))
    assert (type(error), error.code) == (BadRequestError, "invalid_request")
    assert "nested too deeply" in error.message


def test_a_body_that_is_too_large_is_refused(client: OpenAI) -> None:
    error = refusal(lambda: client.responses.create(model="demo", input="x" * 11_000_000))
    assert (error.status_code, error.type, error.code) == (413, "invalid_request_error", "request_too_large")


async def test_the_asynchronous_client_learns_of_a_body_that_is_too_large(async_client: AsyncOpenAI) -> None:
    """Although it would not look at an answer before all of the body is sent."""
    for _ in range(3):
        with pytest.raises(APIStatusError) as refused:
            await async_client.responses.create(model="demo", input="x" * 11_000_000)
        assert (refused.value.status_code, refused.value.code) == (413, "request_too_large")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_refused(client: OpenAI, method: str) -> None:
    error = refusal(lambda: getattr(client, method)("/responses", cast_to=object))
    assert (error.status_code, error.code) == (405, "method_not_allowed")
    assert error.response.headers["allow"] == "POST"


def test_what_is_not_offered_is_not_found(client: OpenAI) -> None:
    for ask in (
        lambda: client.responses.retrieve("resp_1"),
        lambda: client.responses.cancel("resp_1"),
        lambda: client.responses.input_items.list("resp_1"),
        lambda: client.post("/chat/completions", cast_to=object, body={}),
    ):
        error = refusal(ask)
        assert type(error) is NotFoundError
        assert (error.type, error.code) == ("invalid_request_error", "not_found")


def test_the_agent_is_the_one_model(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["demo"]
    error = refusal(lambda: client.models.retrieve("gpt-5"))
    assert (type(error), error.code, error.param) == (NotFoundError, "model_not_found", "model")


def test_a_refused_turn_leaves_its_conversation_as_it_was(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="My name is Ada.")
    refusal(
        lambda: client.responses.create(
            model="demo", input="hello", previous_response_id=first.id, extra_body={"temperature": 9}
        )
    )
    after = client.responses.create(model="demo", input="How many messages?", previous_response_id=first.id)
    assert after.output_text == "With this one you have sent 2 messages."


def test_refusals_are_not_sent_again(demo: str) -> None:
    """A client with its retries on gives up at once: the request would be refused again."""
    with OpenAI(base_url=demo, api_key="unused", max_retries=5) as client:
        error = refusal(lambda: client.responses.create(model="demo", input=""))
    assert error.response.request.headers["x-stainless-retry-count"] == "0"
