"""The caller's tools are declarations, and a choice among them is one that exists."""

from __future__ import annotations

from typing import Any

import pytest

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.agent_tools import refuse_clashes
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def function(name: str = "get_weather", **members: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": SCHEMA, **members}


def read(*tools: Any, **fields: Any) -> ResponsesRequest:
    return parse({"input": "Hello", "tools": list(tools), **fields})


def refusal(*tools: Any, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*tools, **fields)
    return caught.value


def test_a_function_becomes_a_declaration_that_the_agent_cannot_run() -> None:
    """It has a schema and no code."""
    (tool,) = read(function(description="Weather.")).client_tools
    assert (tool.name, tool.description, tool.func, tool.declaration_only) == ("get_weather", "Weather.", None, True)
    assert tool.parameters() == SCHEMA


def test_a_function_without_parameters_takes_none() -> None:
    """Null is an object without properties."""
    (tool,) = read(function(parameters=None)).client_tools
    assert tool.parameters() == {"type": "object", "properties": {}}


def test_tools_are_among_the_requested_options() -> None:
    """A run hook can grant them as a whole."""
    request = read(function())
    assert request.requested_options["tools"] == request.client_tools


def test_tools_are_shown_with_all_members_of_the_protocol() -> None:
    """The response object repeats them normalised, null where nothing was said."""
    assert read(function(), function("b", description="B.", strict=True, parameters=None)).echo["tools"] == [
        {"type": "function", "name": "get_weather", "description": None, "parameters": SCHEMA, "strict": None},
        {"type": "function", "name": "b", "description": "B.", "parameters": None, "strict": True},
    ]


def test_a_client_that_changes_a_schema_does_not_change_the_echo() -> None:
    """Agent Framework's OpenAI client closes schemas in place."""
    request = read(function())
    request.client_tools[0].parameters()["additionalProperties"] = False
    assert request.echo["tools"][0]["parameters"] == SCHEMA


@pytest.mark.parametrize(
    ("tool", "param", "code"),
    [
        ("get_weather", "tools[1]", "invalid_type"),
        ({}, "tools[1].type", "missing_required_parameter"),
        ({"type": "function"}, "tools[1].name", "missing_required_parameter"),
        ({"type": "function", "function": {"name": "f"}}, "tools[1].name", "missing_required_parameter"),
        (function(""), "tools[1].name", "invalid_value"),
        (function("get weather"), "tools[1].name", "invalid_value"),
        (function("naïve"), "tools[1].name", "invalid_value"),
        (function("f\n"), "tools[1].name", "invalid_value"),
        (function("f" * 65), "tools[1].name", "invalid_value"),
        (function("get_weather"), "tools[1].name", "invalid_value"),
        (function("f", parameters=[]), "tools[1].parameters", "invalid_type"),
        (function("f", strict="yes"), "tools[1].strict", "invalid_type"),
        (function("f", description=1), "tools[1].description", "invalid_type"),
        (function("f", colour="red"), "tools[1].colour", "unknown_parameter"),
        ({"type": 5}, "tools[1].type", "unsupported_parameter"),
    ],
)
def test_a_malformed_tool_is_refused_where_it_stands(tool: object, param: str, code: str) -> None:
    """The second tool is wrong, and named."""
    error = refusal(function(), tool)
    assert (error.param, error.detail_code) == (param, code)


@pytest.mark.parametrize(
    "kind",
    ["web_search", "file_search", "code_interpreter", "computer", "mcp", "image_generation", "shell", "apply_patch"],
)
def test_a_tool_that_openai_would_run_is_refused(kind: str) -> None:
    """There is nobody here who would run it."""
    error = refusal({"type": kind})
    assert (error.param, error.detail_code) == ("tools[0].type", "unsupported_parameter")
    assert f"'{kind}'" in error.message


def test_names_of_64_characters_are_fine() -> None:
    """The bound itself belongs to what is allowed."""
    assert read(function("f" * 64)).client_tools


def test_128_tools_are_taken_and_no_more() -> None:
    """As at OpenAI."""
    tools = [function(f"f{number}") for number in range(129)]
    assert len(read(*tools[:128]).client_tools) == 128
    assert refusal(*tools).param == "tools"


def test_what_a_tool_asks_for_in_vain_is_listed() -> None:
    """Agent Framework's declarations have no strict mode, for one."""
    request = read(
        function(), function("b", strict=True, allowed_callers=["direct"]), function("c", output_schema={"a": 1})
    )
    assert request.without_effect == ("tools[1].strict", "tools[2].output_schema")


@pytest.mark.parametrize("choice", ["auto", "required", "none"])
def test_a_mode_is_passed_as_it_is(choice: str) -> None:
    """Both worlds use the same words."""
    request = read(tool_choice=choice)
    assert (request.requested_options["tool_choice"], request.echo["tool_choice"]) == (choice, choice)


def test_a_named_function_becomes_a_required_one() -> None:
    """Agent Framework has its own shape for it."""
    request = read(function(), tool_choice={"type": "function", "name": "get_weather"})
    assert request.requested_options["tool_choice"] == {"mode": "required", "required_function_name": "get_weather"}
    assert request.echo["tool_choice"] == {"type": "function", "name": "get_weather"}


def test_allowed_tools_keep_their_mode_and_names() -> None:
    """A choice among some of the tools."""
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}
    request = read(function(), function("b"), tool_choice=choice)
    assert request.requested_options["tool_choice"] == {"mode": "auto", "allowed_tools": ["b"]}
    assert request.echo["tool_choice"] == choice


@pytest.mark.parametrize(
    ("choice", "param", "code"),
    [
        ("perhaps", "tool_choice", "invalid_value"),
        ({}, "tool_choice.type", "missing_required_parameter"),
        ({"type": "function", "name": "unknown"}, "tool_choice.name", "invalid_value"),
        ({"type": "function"}, "tool_choice.name", "invalid_type"),
        ({"type": "file_search"}, "tool_choice.type", "unsupported_parameter"),
        ({"type": "mcp", "server_label": "s"}, "tool_choice.type", "unsupported_parameter"),
        ({"type": "allowed_tools", "mode": "none", "tools": []}, "tool_choice.mode", "invalid_value"),
        ({"type": "allowed_tools", "mode": "auto"}, "tool_choice.tools", "invalid_type"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice.tools", "invalid_value"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "s"}]},
            "tool_choice.tools[0].type",
            "unsupported_parameter",
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "unknown"}]},
            "tool_choice.tools[0].name",
            "invalid_value",
        ),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(choice: object, param: str, code: str) -> None:
    """An unknown tool is not chosen in silence."""
    error = refusal(function(), tool_choice=choice)
    assert (error.param, error.detail_code) == (param, code)


def test_a_tool_named_like_one_of_the_agents_is_refused() -> None:
    """A name means one thing."""
    tools = read(function("a"), function("b")).client_tools
    refuse_clashes(tools, {"c"})
    with pytest.raises(InvalidRequest) as caught:
        refuse_clashes(tools, {"b", "c"})
    assert caught.value.param == "tools[1].name"
