"""Fields: each is checked strictly, has its name among the options, and is repeated in the response object."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting_responses._inbound.fields import FIELDS
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse
from agent_framework_hosting_responses._outbound.envelope import Head
from agent_framework_hosting_responses._outbound.showing import ResponseFields


def read(**fields: Any) -> ResponsesRequest:
    return parse({"input": "Hello", **fields})


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream", "yes"),
        ("stream", 1),
        ("store", 0),
        ("store", "false"),
        ("background", "no"),
        ("parallel_tool_calls", 1),
        ("temperature", "hot"),
        ("temperature", True),
        ("top_p", "0.5"),
        ("presence_penalty", []),
        ("frequency_penalty", {}),
        ("max_output_tokens", 10.5),
        ("max_output_tokens", "10"),
        ("max_output_tokens", True),
        ("max_tool_calls", 1.5),
        ("top_logprobs", "3"),
        ("instructions", ["Be brief."]),
        ("model", 5),
        ("user", 7),
        ("safety_identifier", {}),
        ("prompt_cache_key", 1),
        ("previous_response_id", 1),
        ("conversation", 1),
        ("truncation", True),
        ("service_tier", 3),
        ("metadata", []),
        ("include", "reasoning.encrypted_content"),
        ("reasoning", "high"),
        ("text", "json"),
        ("tools", {}),
        ("tool_choice", 1),
        ("stream_options", True),
        ("image", "x"),
        ("access_programs", []),
        ("background_options", 1),
        ("prompt_cache_options", "x"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_stands(field: str, value: object) -> None:
    """Nothing is guessed at: a string is no boolean, a boolean no number."""
    error = refusal(**{field: value})
    assert (error.param, error.detail_code) == (field, "invalid_type")
    assert f"'{field}'" in error.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", 10**400),
        ("top_p", -1),
        ("top_p", 1.01),
        ("presence_penalty", -3),
        ("frequency_penalty", 2.5),
        ("max_output_tokens", 0),
        ("max_output_tokens", -1),
        ("max_output_tokens", 10**30),
        ("max_tool_calls", 0),
        ("top_logprobs", 21),
        ("truncation", "sometimes"),
        ("service_tier", "first class"),
        ("prompt_cache_retention", "forever"),
        ("model", ""),
        ("previous_response_id", ""),
    ],
)
def test_a_value_out_of_range_is_refused_where_it_stands(field: str, value: object) -> None:
    """The type is right, the value is not."""
    error = refusal(**{field: value})
    assert (error.param, error.detail_code) == (field, "invalid_value")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"include": ["reasoning.encrypted_content", "everything"]}, "include[1]"),
        ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"text": {"verbosity": "chatty"}}, "text.verbosity"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": ["text"]}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "text.format.name"),
        ({"metadata": {"k" * 65: "v"}}, f"metadata.{'k' * 64}..."),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {str(number): "v" for number in range(17)}}, "metadata"),
        ({"conversation": {"id": ""}}, "conversation.id"),
    ],
)
def test_a_value_inside_a_field_is_refused_where_it_stands(fields: dict[str, Any], param: str) -> None:
    """`param` leads to the very spot."""
    error = refusal(**fields)
    assert (error.param, error.detail_code) == (param, "invalid_value")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"metadata": {"k": 5}}, "metadata.k"),
        ({"include": [5]}, "include[0]"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"stream_options": {"include_obfuscation": "no"}}, "stream_options.include_obfuscation"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": []}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": 1}}}, "text.format.strict"),
        ({"text": {"format": "json_object"}}, "text.format"),
    ],
)
def test_a_type_inside_a_field_is_refused_where_it_stands(fields: dict[str, Any], param: str) -> None:
    """Nested values are checked like the outer ones."""
    error = refusal(**fields)
    assert (error.param, error.detail_code) == (param, "invalid_type")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ],
)
def test_what_a_format_needs_and_has_not_is_named(fields: dict[str, Any], param: str) -> None:
    """A schema format without its schema is incomplete."""
    error = refusal(**fields)
    assert (error.param, error.detail_code) == (param, "missing_required_parameter")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"reasoning": {"depth": 1}}, "reasoning.depth"),
        ({"text": {"format": {"type": "text", "schema": {}}}}, "text.format.schema"),
        ({"x" * 5000: 1}, "x" * 64 + "..."),
    ],
)
def test_an_unknown_field_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """As OpenAI does; and a name without end is not repeated."""
    error = refusal(**fields)
    assert (error.param, error.detail_code) == (param, "unknown_parameter")


def test_a_field_of_another_protocol_is_refused_with_the_name_it_has_here() -> None:
    """Who comes from Chat Completions is told where to look."""
    assert "'max_output_tokens'" in refusal(max_tokens=5).message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_management", [{"type": "compaction"}]),
        ("moderation", {"model": "omni"}),
        ("prompt", {"id": "pmpt_1"}),
    ],
)
def test_what_this_server_does_not_offer_is_refused_not_passed_over(field: str, value: object) -> None:
    """Silence would be taken for consent."""
    error = refusal(**{field: value})
    assert (error.param, error.detail_code) == (field, "unsupported_parameter")


def test_conversation_and_previous_response_exclude_each_other() -> None:
    """A request continues one thing."""
    error = refusal(conversation="conv_1", previous_response_id="resp_1")
    assert (error.param, error.detail_code) == ("conversation", "mutually_exclusive_parameters")


def test_a_response_in_the_background_has_to_be_stored() -> None:
    """Nobody could read it otherwise."""
    assert read(background=True).background
    error = refusal(background=True, store=False)
    assert (error.param, error.detail_code) == ("store", "invalid_value")


def test_a_foreground_response_may_be_asked_for_explicitly() -> None:
    """`background: false` is what happens anyway."""
    assert read(background=False).echo["background"] is False


@pytest.mark.parametrize("body", [{}, {"input": None}, {"input": ""}, {"input": []}, {"stream": True}])
def test_an_empty_input_is_refused_when_nothing_is_continued(body: dict[str, Any]) -> None:
    """There would be nothing to answer."""
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert caught.value.param == "input"
    body["previous_response_id"] = "resp_1"
    request = parse(body)
    assert (request.messages, request.previous_response_id) == ([], "resp_1")


def test_a_whole_number_is_one_however_it_is_written() -> None:
    """JSON has one kind of number, and a schema's integers are those without a fraction."""
    tokens = read(max_output_tokens=5.0).requested_options["max_tokens"]
    assert (tokens, type(tokens)) == (5, int)


def test_null_counts_as_absent_in_every_field() -> None:
    """SDKs send null for what was not set."""
    request = read(**dict.fromkeys(key for key in FIELDS if key != "input"))
    assert request.echo == read().echo
    assert request.requested_options == {}


def test_options_have_the_names_of_agent_framework() -> None:
    """Everything asked for is there, under the framework's name."""
    request = read(
        model="gpt",
        instructions="Be brief.",
        temperature=1,
        top_p=0.5,
        max_output_tokens=100,
        parallel_tool_calls=False,
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        top_logprobs=2,
        max_tool_calls=3,
        reasoning={"effort": "low", "summary": None},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        tool_choice="none",
        user="ada",
        safety_identifier="ada-hash",
        metadata={"k": "v"},
        store=False,
        truncation="auto",
        service_tier="flex",
        include=["reasoning.encrypted_content"],
        prompt_cache_key="key",
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit"},
    )
    assert request.requested_options == {
        "model": "gpt",
        "instructions": "Be brief.",
        "temperature": 1,
        "top_p": 0.5,
        "max_tokens": 100,
        "allow_multiple_tool_calls": False,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "top_logprobs": 2,
        "max_tool_calls": 3,
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_object"},
        "verbosity": "low",
        "tool_choice": "none",
        "user": "ada",
        "safety_identifier": "ada-hash",
        "metadata": {"k": "v"},
        "store": False,
        "truncation": "auto",
        "service_tier": "flex",
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "key",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit"},
    }


def test_transport_and_session_fields_are_never_options() -> None:
    """How an answer travels and what it continues is the host's business."""
    request = read(
        stream=True, stream_options={"include_obfuscation": False}, background=False, previous_response_id="resp_1"
    )
    assert request.requested_options == {}
    assert (request.stream, request.previous_response_id) == (True, "resp_1")


def test_responses_are_stored_unless_the_caller_says_otherwise() -> None:
    """As at OpenAI."""
    assert (read().store, read(store=True).store, read(store=False).store) == (True, True, False)


def test_a_schema_format_becomes_the_mapping_that_both_openai_clients_take() -> None:
    """The nested shape is understood by the Responses and the Chat Completions client."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}
    request = read(text={"format": wanted})
    assert request.requested_options["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }
    assert request.echo["text"] == {"format": {**wanted, "description": None}}


def shown(**fields: Any) -> dict[str, Any]:
    head = Head(ResponseFields(response_id="resp_1", created_at=1, model="m", echo=read(**fields).echo))
    return msgspec.json.decode(head.body(status="in_progress").json)


def test_the_response_to_a_bare_request_shows_the_protocols_defaults() -> None:
    """Every field that a response object repeats is there, null or with OpenAI's value."""
    expected: dict[str, Any] = {
        "background": False,
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
    answer = shown()
    assert {key: answer[key] for key in expected} == expected


def test_the_echo_repeats_what_was_sent() -> None:
    """A caller finds his own values again, except a service tier that he did not get."""
    sent: dict[str, Any] = {
        "frequency_penalty": 0.5,
        "instructions": "Be brief.",
        "max_output_tokens": 10,
        "max_tool_calls": 2,
        "metadata": {"k": "v"},
        "model": "gpt",
        "parallel_tool_calls": False,
        "presence_penalty": 0.25,
        "previous_response_id": "resp_1",
        "prompt_cache_key": "key",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "hash",
        "store": False,
        "temperature": 0.0,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": "none",
        "top_logprobs": 1,
        "top_p": 0.0,
        "truncation": "auto",
        "user": "ada",
    }
    echo = read(**sent, service_tier="flex").echo
    told_apart = {"model", "previous_response_id"}
    assert echo == {name: value for name, value in sent.items() if name not in told_apart}
    assert shown(service_tier="flex")["service_tier"] == "default"


def test_echoes_share_nothing_between_requests() -> None:
    """Who changes one response object changes no other."""
    shown()["metadata"]["k"] = "v"
    assert shown()["metadata"] == {}
    said = read().echo
    read().echo["user"] = "ada"
    assert read().echo == said


def test_accepted_fields_that_nothing_comes_of_are_listed() -> None:
    """What only OpenAI's own service can do is said to be without effect."""
    request = read(
        image={"context_compression": "auto"},
        access_programs={"cyber": "standard"},
        background_options={"completion_window": "2h"},
        stream_options={"include_obfuscation": True},
    )
    assert set(request.without_effect) == {
        "image",
        "access_programs",
        "background_options",
        "stream_options.include_obfuscation",
    }
    assert read(stream_options={"include_obfuscation": False}).without_effect == ()
