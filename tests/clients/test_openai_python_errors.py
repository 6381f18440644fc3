"""The official Python client against the served demo: what is wrong with a request arrives as the SDK's own errors."""

from __future__ import annotations

from collections.abc import Callable, Generator

import httpx2
import pytest
from openai import APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError, OpenAI

from agent_framework_hosting_responses._inbound.fields import FIELDS

from .bad_requests import BAD, OUTPUT, TOOL, USER


@pytest.fixture(scope="module")
def plain() -> Generator[httpx2.Client]:
    """A client that knows nothing of the protocol."""
    with httpx2.Client(timeout=60) as client:
        yield client


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


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_bad_request_is_told_with_code_and_place(client: OpenAI, what: str, stream: bool) -> None:
    """A stream that was refused has not begun, so its refusal is an ordinary error, too."""
    bad = BAD[what]
    fields = {"stream": stream} | bad.fields
    error = refusal(lambda: client.responses.create(model="demo", input="hello", extra_body=fields))
    assert type(error) is (BadRequestError if bad.status == 400 else APIStatusError)
    assert (error.status_code, error.type) == (bad.status, "invalid_request_error")
    assert (error.code, error.param) == (bad.code, bad.param)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_is_told_in_the_same_words_without_a_client(demo: str, plain: httpx2.Client, what: str) -> None:
    bad = BAD[what]
    answer = plain.post(f"{demo}/responses", json={"model": "demo", "input": "hello", **bad.fields})
    assert answer.status_code == bad.status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", bad.code, bad.param)
    assert error["message"]


def test_there_are_forty_kinds_of_bad_requests_and_some_of_every_field() -> None:
    assert len(BAD) >= 40
    assert {name for bad in BAD.values() for name in bad.fields} >= FIELDS.keys()


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
