"""The response object: its keys are always there, and say what was asked for."""

from typing import Any, get_args

import pytest
from agent_framework import AgentResponse, Message
from openai.types.responses import ResponseError
from responses_rules import KEYS, check, check_body
from responses_updates import rendered, says, shown, stream, uses

from agent_framework_hosting_responses._outbound.envelope import ERROR_CODES, Head, error_object
from agent_framework_hosting_responses._outbound.showing import ResponseFields

HELLO = AgentResponse[Any](messages=[Message("assistant", ["Hello"])])


def test_a_bare_response_has_exactly_the_31_keys_with_null_where_the_protocol_allows_it() -> None:
    body = rendered(HELLO)
    assert body.keys() == KEYS
    assert len(KEYS) == 31
    assert sorted(key for key, value in body.items() if value is None) == [
        "error",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "safety_identifier",
        "usage",
    ]


def test_what_was_left_out_has_the_defaults_of_openai() -> None:
    body = rendered(HELLO)
    defaults: dict[str, Any] = {
        "background": False,
        "frequency_penalty": 0.0,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "reasoning": {"effort": None, "summary": None},
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
    assert {key: body[key] for key in defaults} == defaults


ECHO: dict[str, Any] = {
    "background": True,
    "frequency_penalty": 0.5,
    "instructions": "Be brief.",
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "metadata": {"a": "b"},
    "parallel_tool_calls": False,
    "presence_penalty": -0.5,
    "prompt_cache_key": "key",
    "reasoning": {"effort": "low", "summary": None},
    "safety_identifier": "user-1",
    "store": False,
    "temperature": 0.2,
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "tool_choice": {"type": "function", "name": "ask"},
    "tools": [{"type": "function", "name": "ask", "parameters": {"type": "object"}, "strict": True}],
    "top_logprobs": 2,
    "top_p": 0.9,
    "truncation": "auto",
    "user": "bob",
    "conversation": {"id": "conv_1"},
    "prompt_cache_retention": "24h",
}


def test_what_was_asked_for_is_echoed() -> None:
    body = rendered(HELLO, echo=ECHO, previous_response_id="resp_0")
    check_body(body)
    assert {key: body[key] for key in ECHO} == ECHO
    assert body["previous_response_id"] == "resp_0"


def test_the_keys_have_one_order_whatever_that_of_the_request_was() -> None:
    backwards = dict(reversed(ECHO.items()))
    assert list(rendered(HELLO, echo=backwards)) == list(rendered(HELLO, echo=ECHO))


def test_the_stream_echoes_from_its_first_event_on() -> None:
    created, *_, terminal = check(stream(says("a"), echo=ECHO)).events
    assert created["response"]["metadata"] == terminal["response"]["metadata"] == {"a": "b"}


def test_a_field_echoed_as_null_counts_as_left_out() -> None:
    assert rendered(AgentResponse(), echo=dict.fromkeys(ECHO)) == rendered(AgentResponse())


def test_the_tier_says_what_was_done_not_what_was_wished_for() -> None:
    assert rendered(HELLO, echo={"service_tier": "flex"})["service_tier"] == "default"


@pytest.mark.parametrize("name", ["model", "id", "object", "output", "status", "unknown"])
def test_an_echo_cannot_change_what_is_ours_to_say(name: str) -> None:
    assert rendered(HELLO, echo={name: "changed"}).get(name) != "changed"


def test_text_that_utf8_cannot_carry_is_cleaned_from_the_echo() -> None:
    tool = {"type": "function", "name": "ask", "parameters": {"enum": ["\ud83d", 1]}, "strict": None}
    echo = {"metadata": {"\ud83d": "\ud83d"}, "instructions": "\ud83d\ude00", "tools": [tool]}
    body = check(stream(says("a"), echo=echo)).body
    assert (body["instructions"], body["metadata"]) == ("😀", {"\ufffd": "\ufffd"})
    assert body["tools"][0]["parameters"] == {"enum": ["\ufffd", 1]}


def test_usage_is_the_sum_of_what_was_reported() -> None:
    details: Any = {
        "input_token_count": 10,
        "output_token_count": 5,
        "total_token_count": 15,
        "cache_read_input_token_count": 4,
        "cache_creation_input_token_count": 2,
        "reasoning_output_token_count": 3,
        "provider.extra": 9,
    }
    more = uses(1, 2)
    more.usage_details = details
    assert check(stream(says(uses(1, 1)), says(more, role="tool"))).body["usage"] == {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 17,
    }


def test_a_report_that_replaces_stands_for_all_before_it() -> None:
    body = check(stream(says(uses(1, 1)), says(uses(5, 5, merge_mode="replace")), says(uses(1, 1)))).body
    assert body["usage"]["total_tokens"] == 12


def test_the_total_is_worked_out_when_the_agent_left_it_out() -> None:
    result = AgentResponse[Any](usage_details={"input_token_count": 2, "output_token_count": 3})
    assert rendered(result)["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("odd", [None, True, -5, 2.5, "7"])
def test_a_count_that_is_none_counts_as_nothing(odd: Any) -> None:
    result = AgentResponse[Any](usage_details={"input_token_count": odd, "output_token_count": 3})
    assert rendered(result)["usage"]["input_tokens"] == 0


def test_usage_is_null_only_when_the_agent_reported_none() -> None:
    assert rendered(HELLO)["usage"] is None
    assert rendered(AgentResponse[Any](usage_details={}))["usage"] is None
    assert rendered(AgentResponse[Any](usage_details={"input_token_count": 0}))["usage"]["total_tokens"] == 0


def test_our_error_codes_are_those_of_the_protocol() -> None:
    assert frozenset(get_args(ResponseError.model_fields["code"].annotation)) == ERROR_CODES


def test_an_error_code_of_ours_becomes_one_of_the_protocol() -> None:
    assert error_object("response_too_large", "Too long.") == {"code": "server_error", "message": "Too long."}


def test_a_body_in_any_state_can_be_made_without_a_machine() -> None:
    head = Head(ResponseFields(response_id="resp_1", created_at=1, model="m"))
    body = shown(head.body(status="cancelled", completed_at=5))
    check_body(body)
    assert body["completed_at"] is None
