"""The public helpers work without the host, from anybody's route."""

from __future__ import annotations

import pytest

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.types import ChannelIdentity, ChannelSession
from agent_framework_hosting_responses._inbound.request import (
    messages_from_responses_input,
    parse,
    parse_responses_identity,
    parse_responses_request,
)


def test_messages_are_read_from_a_string_and_from_items() -> None:
    """The two forms of the field."""
    assert [message.text for message in messages_from_responses_input("Hello")] == ["Hello"]
    items = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert [(message.role, message.text) for message in messages_from_responses_input(items)] == [
        ("system", "Be brief."),
        ("user", "Hello"),
    ]


def test_messages_of_an_open_call_are_read() -> None:
    """The helper reads; whether a run can begin there is not its question."""
    item = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    (message,) = messages_from_responses_input((item,))
    assert (message.role, message.contents[0].name) == ("assistant", "f")


@pytest.mark.parametrize("value", [5, [5], {"role": "user"}, [{"role": "king", "content": "x"}]])
def test_messages_of_bad_input_are_refused(value: object) -> None:
    """With the channel's own errors."""
    with pytest.raises(InvalidRequest):
        messages_from_responses_input(value)


def test_a_request_is_read_into_messages_options_and_session() -> None:
    """Options are all that was asked for, in Agent Framework's names."""
    messages, options, session = parse_responses_request(
        {
            "input": "Hello",
            "model": "gpt",
            "instructions": "Be brief.",
            "max_output_tokens": 5,
            "parallel_tool_calls": True,
            "stream": True,
            "background": True,
            "previous_response_id": "resp_1",
            "tools": [{"type": "function", "name": "f", "parameters": None}],
        }
    )
    assert [message.text for message in messages] == ["Hello"]
    (tool,) = options.pop("tools")
    assert tool.declaration_only
    assert options == {
        "model": "gpt",
        "instructions": "Be brief.",
        "max_tokens": 5,
        "allow_multiple_tool_calls": True,
    }
    assert session == ChannelSession(isolation_key="resp_1")


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({}, None),
        ({"previous_response_id": None, "conversation": None}, None),
        ({"previous_response_id": "resp_1"}, ChannelSession(isolation_key="resp_1")),
        ({"conversation": "conv_1"}, ChannelSession(isolation_key="conv_1")),
        ({"conversation": {"id": "conv_1"}}, ChannelSession(isolation_key="conv_1")),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, ChannelSession(isolation_key="resp_1")),
    ],
)
def test_the_session_is_the_previous_response_else_the_conversation(
    fields: dict[str, object], session: ChannelSession | None
) -> None:
    """A candidate that the route still has to resolve."""
    assert parse_responses_request({"input": "Hello", **fields})[2] == session


@pytest.mark.parametrize("anchor", ["previous_response_id", "conversation"])
def test_an_input_may_be_empty_where_something_is_continued(anchor: str) -> None:
    """Either anchor will do; without one there is nothing to answer."""
    assert parse_responses_request({anchor: "id_1"}) == ([], {}, ChannelSession(isolation_key="id_1"))
    with pytest.raises(InvalidRequest):
        parse_responses_request({})


def test_a_request_is_read_from_bytes_too() -> None:
    """A route need not decode."""
    assert parse_responses_request(b'{"input": "Hello"}')[0][0].text == "Hello"


@pytest.mark.parametrize(
    ("body", "native_id"),
    [
        ({"safety_identifier": "hash", "user": "ada"}, "hash"),
        ({"user": "ada"}, "ada"),
        ({"safety_identifier": "", "user": "ada"}, "ada"),
        ({"safety_identifier": None, "user": "ada"}, "ada"),
    ],
)
def test_the_identity_is_the_safety_identifier_else_the_user(body: dict[str, object], native_id: str) -> None:
    """Under the channel's name."""
    assert parse_responses_identity(body, "mine") == ChannelIdentity("mine", native_id)
    assert parse({"input": "Hello", **body}, channel="mine").identity == ChannelIdentity("mine", native_id)


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": None}, {"user": 5}])
def test_without_a_name_there_is_no_identity(body: dict[str, object]) -> None:
    """Nobody is invented."""
    assert parse_responses_identity(body, "responses") is None
