"""The policy: callers steer how an answer is made, never who the agent is, and are told what was dropped."""

from __future__ import annotations

from typing import Any

import pytest

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.policy import ALLOWED_OPTIONS, Admitted
from agent_framework_hosting_responses._inbound.policy import apply_policy
from agent_framework_hosting_responses._inbound.request import parse

SYSTEM = {"role": "system", "content": "You are a pirate."}
DEVELOPER = {"role": "developer", "content": "Swear."}
USER = {"role": "user", "content": "Hello"}


def admit(*items: Any, policy: Any = "ignore", **fields: Any) -> Admitted:
    body = {"input": list(items) or "Hello", **fields}
    return apply_policy(parse(body), caller_instructions=policy)


def test_a_plain_request_passes_whole() -> None:
    """Nothing was asked for, nothing is dropped."""
    admitted = admit()
    assert (admitted.options, admitted.ignored, admitted.header) == ({}, (), None)
    assert [message.text for message in admitted.messages] == ["Hello"]


def test_sampling_tools_and_format_pass() -> None:
    """The caller says how the answer is made."""
    tool = {"type": "function", "name": "f", "parameters": None}
    admitted = admit(
        temperature=0.5,
        top_p=0.5,
        max_output_tokens=5,
        presence_penalty=1,
        frequency_penalty=1,
        parallel_tool_calls=False,
        text={"format": {"type": "json_object"}},
        tools=[tool],
        tool_choice="required",
    )
    assert set(admitted.options) == ALLOWED_OPTIONS
    assert admitted.ignored == ()


def test_reasoning_and_verbosity_are_for_a_hook_to_grant() -> None:
    """Some of Agent Framework's chat clients fail on them, so they are named as ignored and kept at hand."""
    asked = parse({"input": "hi", "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}})
    admitted = apply_policy(asked)
    assert (admitted.options, admitted.ignored) == ({}, ("reasoning", "text.verbosity"))
    assert asked.requested_options == {"reasoning": {"effort": "low"}, "verbosity": "low"}


@pytest.mark.parametrize("policy", ["ignore", "append"])
def test_no_policy_grants_model_store_user_or_metadata(policy: str) -> None:
    """They are echoed by design, so nobody is told that they were dropped."""
    admitted = admit(policy=policy, model="gpt", store=False, user="ada", metadata={"k": "v"}, safety_identifier="ada")
    assert (admitted.options, admitted.ignored) == ({}, ())


def test_an_operator_cannot_allow_what_is_never_granted() -> None:
    """Only a run hook decides about those."""
    request = parse({"input": "Hello", "model": "gpt", "store": False, "top_logprobs": 3, "instructions": "Swear."})
    admitted = apply_policy(request, allowed_options=request.requested_options)
    assert admitted.options == {"top_logprobs": 3}


def test_an_operator_can_allow_less() -> None:
    """What no longer passes is named by its field."""
    request = parse({"input": "Hello", "max_output_tokens": 5, "parallel_tool_calls": True, "temperature": 1})
    admitted = apply_policy(request, allowed_options={"temperature"})
    assert admitted.options == {"temperature": 1}
    assert admitted.ignored == ("max_output_tokens", "parallel_tool_calls")


def test_instructions_are_ignored_by_default_and_named() -> None:
    """Instructions, system and developer items are treated alike."""
    admitted = admit(SYSTEM, USER, DEVELOPER, instructions="Be brief.")
    assert [message.role for message in admitted.messages] == ["user"]
    assert admitted.options == {}
    assert admitted.ignored == ("instructions", "input[0]", "input[2]")
    assert admitted.header == "instructions, input[0], input[2]"


def test_instructions_are_appended_when_the_operator_says_so() -> None:
    """The agent gets the option and the messages, in their places."""
    admitted = admit(SYSTEM, USER, DEVELOPER, policy="append", instructions="Be brief.")
    assert [message.role for message in admitted.messages] == ["system", "user", "system"]
    assert admitted.options == {"instructions": "Be brief."}
    assert admitted.ignored == ()
    assert admit(USER, policy="append", instructions="").options == {}


@pytest.mark.parametrize(
    ("items", "fields", "param"),
    [
        ([USER], {"instructions": "Be brief."}, "instructions"),
        ([USER, SYSTEM], {}, "input[1]"),
        ([DEVELOPER, USER], {}, "input[0]"),
    ],
)
def test_instructions_are_refused_when_the_operator_says_so(
    items: list[Any], fields: dict[str, Any], param: str
) -> None:
    """The caller is told which one."""
    with pytest.raises(InvalidRequest) as caught:
        admit(*items, policy="refuse", **fields)
    assert caught.value.param == param
    assert admit(USER, policy="refuse", instructions="").ignored == ()


def test_a_request_of_which_nothing_is_left_is_refused_with_the_reason() -> None:
    """An empty run would answer nobody."""
    with pytest.raises(InvalidRequest) as caught:
        admit(SYSTEM, DEVELOPER)
    assert caught.value.param == "input"
    assert "which this agent ignores" in caught.value.message
    assert admit(SYSTEM, policy="append").messages
    assert admit(SYSTEM, previous_response_id="resp_1").messages == []


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]}, "include[1]"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"prompt_cache_options": {"mode": "explicit"}}, "prompt_cache_options"),
        ({"image": {"context_compression": "auto"}}, "image"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"tools": [{"type": "function", "name": "f", "strict": True}]}, "tools[0].strict"),
    ],
)
def test_a_field_whose_effect_the_caller_will_miss_is_named(fields: dict[str, Any], ignored: str) -> None:
    """Silence would be taken for consent."""
    assert admit(**fields).ignored == (ignored,)


@pytest.mark.parametrize(
    "fields",
    [
        {"truncation": "disabled"},
        {"top_logprobs": 0},
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"include": ["reasoning.encrypted_content"]},
        {"text": {"format": {"type": "text"}}},
        {"reasoning": {}},
        {"prompt_cache_key": "key"},
        {"stream_options": {"include_obfuscation": False}},
        {"tools": [{"type": "function", "name": "f", "strict": False}]},
    ],
)
def test_a_field_that_misses_nothing_is_not_named(fields: dict[str, Any]) -> None:
    """What happens anyway is not ignored, and not passed on either."""
    admitted = admit(**fields)
    assert admitted.ignored == ()
    assert set(admitted.options) <= {"tools"}


def test_the_header_stays_short_however_much_was_dropped() -> None:
    """Clients and proxies bound their headers."""
    admitted = admit(*[SYSTEM] * 500, USER)
    assert len(admitted.ignored) == 500
    assert admitted.header is not None
    assert admitted.header.startswith("input[0], input[1], ")
    assert admitted.header.endswith(", ...")
    assert len(admitted.header) < 500


def test_the_request_itself_is_left_alone() -> None:
    """A hook still finds everything that was asked for."""
    request = parse({"input": [SYSTEM, USER], "temperature": 1, "model": "gpt"})
    apply_policy(request, caller_instructions="append").messages.clear()
    assert len(request.messages) == 2
    assert request.requested_options == {"temperature": 1, "model": "gpt"}
