"""The installed `openai` package sends nothing that the parser has never heard of."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from openai.types.responses import (
    FunctionToolParam,
    ResponseFormatTextJSONSchemaConfigParam,
    ResponseIncludable,
    ResponseTextConfigParam,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsBase,
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
    StreamOptions,
)
from openai.types.responses.response_input_param import ResponseInputItemParam
from openai.types.responses.service_tier import ServiceTier
from openai.types.shared_params import Reasoning, ReasoningEffort

from agent_framework_hosting_responses._inbound.fields import FIELDS, INCLUDABLE
from agent_framework_hosting_responses._inbound.input import LATER_ITEMS, read_items
from agent_framework_hosting_responses._inbound.request import parse
from agent_framework_hosting_responses._inbound.tools import FUNCTION_MEMBERS


def literals(hint: Any) -> list[str]:
    """Return the strings that a type allows."""
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [text for part in typing.get_args(hint) for text in literals(part)]


def members(params: Any) -> set[str]:
    return set(typing.get_type_hints(params))


def kinds(union: Any) -> set[str]:
    """Return the `type` values of a union of item parameters."""
    return {kind for item in typing.get_args(union) for kind in literals(typing.get_type_hints(item)["type"])}


@pytest.mark.parametrize(
    "params", [ResponseCreateParamsBase, ResponseCreateParamsStreaming, ResponseCreateParamsNonStreaming]
)
def test_every_field_of_the_sdk_is_known(params: Any) -> None:
    """A new version of the package that sends more fails here, not at a user's."""
    assert members(params)
    assert members(params) <= set(FIELDS)


def test_every_item_of_the_sdk_is_read_or_refused_by_name() -> None:
    """None is called unknown."""
    assert kinds(ResponseInputItemParam) == read_items() | LATER_ITEMS


def test_every_value_for_include_is_known() -> None:
    """And no other."""
    assert set(literals(ResponseIncludable)) == set(INCLUDABLE)


def test_every_member_of_a_function_tool_is_known() -> None:
    """And no other."""
    assert members(FunctionToolParam) == set(FUNCTION_MEMBERS)


@pytest.mark.parametrize("tier", literals(ServiceTier))
def test_every_service_tier_is_taken(tier: str) -> None:
    """Whether it is served is another question."""
    assert parse({"input": "x", "service_tier": tier})


@pytest.mark.parametrize("effort", literals(ReasoningEffort))
def test_every_reasoning_effort_is_taken(effort: str) -> None:
    """The model has the last word on it."""
    assert parse({"input": "x", "reasoning": {"effort": effort}}).requested_options["reasoning"] == {"effort": effort}


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("reasoning", Reasoning),
        ("text", ResponseTextConfigParam),
        ("stream_options", StreamOptions),
    ],
)
def test_every_member_of_a_nested_field_is_known(field: str, params: Any) -> None:
    """Null members show that the names are known, without values."""
    assert members(params)
    assert parse({"input": "x", field: dict.fromkeys(members(params))})


def test_every_member_of_a_schema_format_is_known() -> None:
    """The same for the format that has members of its own."""
    wanted: dict[str, Any] = dict.fromkeys(members(ResponseFormatTextJSONSchemaConfigParam)) | {
        "type": "json_schema",
        "name": "n",
        "schema": {},
    }
    assert parse({"input": "x", "text": {"format": wanted}})
